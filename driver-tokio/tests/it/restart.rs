use std::path::Path;
use std::process::Command;

/// What the example says, built along with this test.
fn example() -> (bool, String) {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples/restart");
    let output = Command::new(program).output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (output.status.success(), said)
}

#[test]
fn a_server_is_replaced_by_another_process_and_nobody_is_lost_unless_it_is_killed() {
    let (content, said) = example();
    assert!(content, "{said}");
    for part in [
        "a connection to server 0",
        "server 1: serving",
        "server 0: retired with",
        "it is still with server 0",
        "a new one is with server 1",
        "others came and went in the meantime, and all of them were served",
        "server 0: gone",
        "the new one is still with server 1",
        "nobody was lost",
        "server 2: serving",
        "server 1 was killed, and its client was told so",
        "a connection to server 2",
    ] {
        assert!(said.contains(part), "it does not say {part:?}: {said}");
    }
}
