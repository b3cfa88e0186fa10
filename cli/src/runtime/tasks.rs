//! Tasks that belong together.

use std::future::Future;

use smol::channel::{self, Receiver, Sender};
use tokio::task::JoinSet;

use super::on_smol::{self, Executor};
use crate::errors::Failure;

/// Tasks whose results are waited for in the order in which they come. They end when this is
/// dropped.
#[derive(Debug)]
pub(crate) enum Tasks<T> {
    /// Those of tokio.
    Tokio(JoinSet<T>),
    /// Those of smol.
    Smol(SmolTasks<T>),
}

/// Tasks of smol, which tell their results on a channel.
#[derive(Debug)]
pub(crate) struct SmolTasks<T> {
    executor: Executor,
    results: Receiver<T>,
    sender: Sender<T>,
    /// How many results are to come.
    missing: usize,
    /// All that were spawned: dropping one ends it.
    tasks: Vec<smol::Task<()>>,
}

impl<T: Send + 'static> Tasks<T> {
    /// None as yet, on the runtime that this is called in.
    pub(crate) fn new() -> Self {
        let Some(executor) = on_smol::here() else { return Self::Tokio(JoinSet::new()) };
        let (sender, results) = channel::unbounded();
        Self::Smol(SmolTasks { executor, results, sender, missing: 0, tasks: Vec::new() })
    }

    /// Runs one more.
    pub(crate) fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        match self {
            Self::Tokio(tasks) => {
                tasks.spawn(task);
            }
            Self::Smol(tasks) => tasks.spawn(task),
        }
    }

    /// The next result; `None` if there is no task any more. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Result<T, Failure>> {
        match self {
            Self::Tokio(tasks) => {
                let done = tasks.join_next().await?;
                Some(done.map_err(|error| Failure::bug(error.to_string())))
            }
            Self::Smol(tasks) => tasks.next().await,
        }
    }
}

impl<T: Send + 'static> SmolTasks<T> {
    fn spawn(&mut self, task: impl Future<Output = T> + Send + 'static) {
        let sender = self.sender.clone();
        self.tasks.push(self.executor.spawn(async move {
            // Without a receiver, this task is being dropped as well.
            let _: Result<(), channel::TrySendError<T>> = sender.try_send(task.await);
        }));
        self.missing += 1;
    }

    async fn next(&mut self) -> Option<Result<T, Failure>> {
        if self.missing == 0 {
            self.tasks.clear();
            return None;
        }
        let result = self.results.recv().await;
        self.missing -= 1;
        Some(result.map_err(|error| Failure::bug(error.to_string())))
    }
}
