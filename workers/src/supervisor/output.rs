//! Copies a child's standard error to that of the supervisor, line by line, and remembers the last ones.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How many lines are remembered.
const LINES_MAX: usize = 20;
/// How many characters of a line are remembered.
const LINE_CHARS_MAX: usize = 500;
/// A longer line is copied in parts, so that one without an end takes no more memory.
const PART_BYTES_MAX: usize = 64 << 10;
/// How long to wait for the rest of what an ended child wrote: a process that it left behind may hold the other end.
const REST_TIMEOUT: Duration = Duration::from_millis(200);

/// The copying of one child's output.
#[derive(Debug)]
pub(super) struct Output {
    last: Arc<Mutex<VecDeque<String>>>,
    copying: JoinHandle<()>,
}

impl Output {
    /// Copies until the other end is closed.
    pub(super) fn copy(from: impl AsyncRead + Send + Unpin + 'static) -> Output {
        let last = Arc::<Mutex<VecDeque<String>>>::default();
        let remembered = Arc::clone(&last);
        let copying = tokio::spawn(copy(from, move |line| {
            // Who reads our log may have gone; that is no reason to stop.
            let _ = std::io::stderr().lock().write_all(line);
            remember(&mut remembered.lock().expect("nothing panics while it is held"), line);
        }));
        Output { last, copying }
    }

    /// The last lines, once the child has ended.
    pub(super) async fn last_lines(mut self) -> Vec<String> {
        if timeout(REST_TIMEOUT, &mut self.copying).await.is_err() {
            self.copying.abort();
        }
        self.last.lock().expect("nothing panics while it is held").drain(..).collect()
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut write: impl FnMut(&[u8])) {
    let mut arrived = Vec::new();
    while from.read_buf(&mut arrived).await.is_ok_and(|length| length > 0) {
        while let Some(end) = arrived.iter().position(|byte| *byte == b'\n') {
            write(&arrived[..=end]);
            arrived.drain(..=end);
        }
        if arrived.len() >= PART_BYTES_MAX {
            write(&arrived);
            arrived.clear();
        }
    }
    if !arrived.is_empty() {
        arrived.push(b'\n');
        write(&arrived);
    }
}

fn remember(last: &mut VecDeque<String>, line: &[u8]) {
    // What a database cannot store as text does not matter in a message.
    let text = String::from_utf8_lossy(line).trim_end().replace('\0', "");
    if text.is_empty() {
        return;
    }
    if last.len() == LINES_MAX {
        last.pop_front();
    }
    last.push_back(text.chars().take(LINE_CHARS_MAX).collect());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_copied_whole_and_the_last_ones_remembered() {
        let mut text: String = (0..30).map(|line| format!("line {line}\n")).collect();
        text.push_str(&"x".repeat(600));
        let (mut copied, mut last) = (Vec::new(), VecDeque::new());
        copy(text.as_bytes(), |line| {
            copied.push(String::from_utf8(line.to_vec()).unwrap());
            remember(&mut last, line);
        })
        .await;
        assert_eq!(copied.concat(), text + "\n");
        assert_eq!((copied.len(), last.len()), (31, LINES_MAX));
        assert_eq!(last[0], "line 11");
        assert_eq!(last[LINES_MAX - 1].len(), LINE_CHARS_MAX);
    }

    #[tokio::test]
    async fn a_line_without_an_end_takes_a_bounded_memory() {
        let text = "y".repeat(3 * PART_BYTES_MAX);
        let mut longest = 0;
        copy(text.as_bytes(), |part| longest = longest.max(part.len())).await;
        assert!((PART_BYTES_MAX..3 * PART_BYTES_MAX).contains(&longest), "{longest}");
    }
}
