//! Which blob goes next: a blob is sent into one repository, and is mounted into the others as soon as
//! it is there.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::plan::{BlobAction, PlannedBlob};
use crate::repository::RepositoryName;

/// One blob into one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The blob's position in the plan.
    pub(crate) blob: usize,
    /// The repository's position among the blob's places.
    pub(crate) place: usize,
    /// A repository that has it.
    pub(crate) from: Option<RepositoryName>,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The blob is there.
    Done,
    /// It is not there; another repository may still take it.
    Refused,
    /// No repository will get it.
    Hopeless,
}

/// Jobs in the order of the plan, mounts before uploads: they are short, and nothing waits for them.
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    mounts: VecDeque<Job>,
    sends: VecDeque<Job>,
    /// By blob: places that wait until another has it.
    waiting: Vec<VecDeque<usize>>,
    running: usize,
    closed: bool,
}

impl Queue {
    pub(crate) fn new(blobs: &[PlannedBlob]) -> Self {
        let mut state = State::default();
        for (blob, planned) in blobs.iter().enumerate() {
            let mut waiting = VecDeque::new();
            let sent = (planned.places.iter()).any(|place| place.action == BlobAction::Send);
            for (place, planned) in planned.places.iter().enumerate() {
                let job = |from| Job { blob, place, from };
                match &planned.action {
                    BlobAction::Present => {}
                    BlobAction::Send => state.sends.push_back(job(None)),
                    BlobAction::Mount { .. } if sent => waiting.push_back(place),
                    BlobAction::Mount { from } => state.mounts.push_back(job(Some(from.clone()))),
                }
            }
            state.waiting.push(waiting);
        }
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// The next job, once there is one; none when all are done.
    pub(crate) fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(job) = state.mounts.pop_front() {
                state.running += 1;
                return Some(job);
            }
            if let Some(job) = state.sends.pop_front() {
                state.running += 1;
                return Some(job);
            }
            if state.running == 0 {
                return None;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Ends a job that [`Queue::next`] gave: what waited for it is mounted from there, or takes its
    /// place. The places that will not get the blob are returned.
    pub(crate) fn finish(
        &self,
        job: &Job,
        repository: &RepositoryName,
        end: End,
    ) -> VecDeque<usize> {
        let mut state = self.lock();
        state.running -= 1;
        let mut given_up = VecDeque::new();
        match end {
            End::Done => {
                for place in std::mem::take(&mut state.waiting[job.blob]) {
                    state.mounts.push_back(Job {
                        blob: job.blob,
                        place,
                        from: Some(repository.clone()),
                    });
                }
            }
            End::Refused => {
                if let Some(place) = state.waiting[job.blob].pop_front() {
                    state.sends.push_front(Job {
                        blob: job.blob,
                        place,
                        from: None,
                    });
                }
            }
            End::Hopeless => given_up = std::mem::take(&mut state.waiting[job.blob]),
        }
        self.changed.notify_all();
        given_up
    }

    /// Gives out no more jobs.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plan::BlobPlace;
    use sealift_oci::Digest;

    fn blob(actions: &[BlobAction]) -> PlannedBlob {
        PlannedBlob {
            digest: Digest::sha256(b"x"),
            size: 1,
            places: actions
                .iter()
                .enumerate()
                .map(|(n, action)| BlobPlace {
                    repository: RepositoryName::new(&format!("r{n}")),
                    action: action.clone(),
                })
                .collect(),
        }
    }

    fn mount() -> BlobAction {
        BlobAction::Mount {
            from: RepositoryName::new("r0"),
        }
    }

    #[test]
    fn mounts_wait_for_the_upload_and_then_go_before_others() {
        let blobs = [
            blob(&[BlobAction::Send, mount()]),
            blob(&[BlobAction::Send]),
        ];
        let queue = Queue::new(&blobs);
        let first = queue.next().unwrap();
        assert_eq!((first.blob, first.place), (0, 0));
        queue.finish(&first, &blobs[0].places[0].repository, End::Done);
        let second = queue.next().unwrap();
        assert_eq!((second.blob, second.place), (0, 1));
        assert_eq!(second.from, Some(RepositoryName::new("r0")));
        queue.finish(&second, &blobs[0].places[1].repository, End::Done);
        let third = queue.next().unwrap();
        assert_eq!((third.blob, third.from.clone()), (1, None));
        queue.finish(&third, &blobs[1].places[0].repository, End::Done);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn where_one_repository_refuses_a_blob_the_next_gets_it() {
        let blobs = [blob(&[BlobAction::Send, mount(), mount()])];
        let queue = Queue::new(&blobs);
        let first = queue.next().unwrap();
        queue.finish(&first, &blobs[0].places[0].repository, End::Refused);
        let second = queue.next().unwrap();
        assert_eq!((second.place, second.from.clone()), (1, None));
        let given_up = queue.finish(&second, &blobs[0].places[1].repository, End::Hopeless);
        assert_eq!(given_up, [2]);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_closed_queue_gives_out_nothing() {
        let queue = Queue::new(&[blob(&[BlobAction::Send])]);
        queue.close();
        assert_eq!(queue.next(), None);
    }
}
