//! Whether the daemon lives. Its socket outlives its wits: a stopped or hung process keeps the link and says nothing.
//!
//! ```text
//!  heard ─nothing for daemon_ping─► asked (Ping) ─nothing for daemon_silence─► given up, dialled anew
//!    ▲                                │ any frame
//!    └────────────────────────────────┘                Hello is a question too: the answer is Welcome
//! ```
use crate::link::Link;
use crate::proxy::Proxy;
use crate::timers::Timer;
use std::time::Duration;
use wire::relay::Frame;

/// When a timer comes so late it was us who slept (a stopped process, a suspended machine): answers may wait unread.
const OVERSLEPT: Duration = Duration::from_secs(1);

/// What is known of the daemon's life.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Its last frame.
    heard: Duration,
    /// The question that it has not answered.
    asked: Option<Duration>,
    /// Pings sent.
    token: u64,
    /// The timer that is set.
    timer: Option<Duration>,
}

impl Pulse {
    fn due(&self, every: Duration, silence: Duration) -> Duration {
        self.asked.map_or(self.heard + every, |asked| asked + silence)
    }
}

impl Proxy {
    /// Hello was said.
    pub(crate) fn start_pulse(&mut self, now: Duration) {
        self.link.pulse = Pulse { asked: Some(now), ..Pulse::default() };
        self.set_pulse_timer();
    }

    /// A frame came over a link that stands.
    pub(crate) fn feel_pulse(&mut self, now: Duration) {
        self.link.pulse.heard = now;
        if self.link.pulse.asked.take().is_some() {
            self.stop_pulse_timer();
            self.set_pulse_timer();
        }
    }

    pub(crate) fn stop_pulse_timer(&mut self) {
        if let Some(at) = self.link.pulse.timer.take() {
            self.timers.cancel(at, Timer::Pulse);
        }
    }

    fn set_pulse_timer(&mut self) {
        let Some(silence) = self.config.timing.daemon_silence else { return };
        let at = self.link.pulse.due(self.config.timing.daemon_ping, silence);
        self.link.pulse.timer = Some(at);
        self.timers.set(at, Timer::Pulse);
    }

    pub(crate) fn on_pulse_timer(&mut self, now: Duration) {
        let set = self.link.pulse.timer.take();
        let Some(silence) = self.config.timing.daemon_silence else { return };
        let overslept = set.is_some_and(|at| now >= at + OVERSLEPT);
        let Link { pulse, .. } = &mut self.link;
        let due = now >= pulse.due(self.config.timing.daemon_ping, silence);
        if due && pulse.asked.is_some() && !overslept {
            self.counters.daemons_silent += 1;
            return self.drop_link(format!("daemon has not answered for {} s", silence.as_secs()));
        }
        if due {
            pulse.asked = Some(now);
            pulse.token += 1;
            let token = pulse.token;
            self.emit(Frame::Ping { token });
        }
        if !self.link.is_down() {
            self.set_pulse_timer();
        }
    }
}
