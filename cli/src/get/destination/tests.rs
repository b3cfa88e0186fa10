use super::Destination;

#[test]
fn a_file_has_its_name_only_once_it_is_complete() {
    smol::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (path, part) = (folder.path().join("file"), folder.path().join("file.part"));
        let mut file = Destination::create(&path).await.unwrap();
        file.write(b"half").await.unwrap();
        assert!(part.exists() && !path.exists());
        drop(file);
        assert!(!part.exists() && !path.exists());

        let mut file = Destination::create(&path).await.unwrap();
        file.write(b"whole").await.unwrap();
        file.commit().await.unwrap();
        assert!(!part.exists());
        assert_eq!(std::fs::read(&path).unwrap(), b"whole");
    });
}

#[test]
fn two_of_the_same_name_do_not_write_into_each_other() {
    smol::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let mut first = Destination::create(&path).await.unwrap();
        let mut second = Destination::create(&path).await.unwrap();
        first.write(b"first").await.unwrap();
        second.write(b"2nd").await.unwrap();
        first.commit().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        second.commit().await.unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"2nd");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    });
}

#[test]
fn the_file_behind_a_symbolic_link_is_written() {
    smol::block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("old"), b"old").unwrap();
        for (link, target) in [("to old", "old"), ("to new", "new")] {
            std::os::unix::fs::symlink(target, path(link)).unwrap();
            let mut file = Destination::create(&path(link)).await.unwrap();
            file.write(b"data").await.unwrap();
            file.commit().await.unwrap();
            assert!(path(link).is_symlink());
            assert_eq!(std::fs::read(path(target)).unwrap(), b"data");
        }
    });
}
