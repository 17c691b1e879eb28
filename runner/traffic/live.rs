//! What a flow counts while it runs: read by conditions of the timeline, by `require` and by the progress line. In: counts from
//! the workers. Out: numbers of this moment. Keeps no history.

use std::sync::atomic::{AtomicU64, Ordering};

/// Makes the counters and their lookup by metric name.
macro_rules! live {
    (@name $name:ident) => { stringify!($name) };
    (@name $name:ident $metric:literal) => { $metric };
    ($($(#[$doc:meta])* $name:ident $(= $metric:literal)?),* $(,)?) => {
        /// Counters and gauges of one flow at this moment. The names are those of the metrics, where none stands beside them.
        #[derive(Debug, Default)]
        pub struct Live {
            $($(#[$doc])* pub $name: AtomicU64,)*
        }

        impl Live {
            /// Whether a metric can be told at one moment.
            #[must_use]
            pub fn knows(metric: &str) -> bool {
                matches!(metric, $(live!(@name $name $($metric)?))|*)
            }

            /// The value of a counter or gauge by its metric's name; `None`: it cannot be told at one moment.
            #[must_use]
            pub fn get(&self, metric: &str) -> Option<u64> {
                match metric {
                    $(live!(@name $name $($metric)?) => Some(self.$name.load(Ordering::Relaxed)),)*
                    _ => None,
                }
            }
        }
    };
}

live! {
    /// Transactions whose first byte was sent.
    sent,
    /// Transactions that came back whole.
    received,
    /// Transactions sent that will not come back.
    lost,
    /// Answers to what had been counted as lost.
    late,
    /// Copies of a datagram beyond its first.
    duplicates,
    /// Intended transactions that found no free connection in time.
    dropped,
    /// Payloads with a wrong byte.
    corrupt,
    /// Payloads of another run, flow or connection.
    misdelivered,
    /// Transactions completed.
    transactions,
    /// Transactions that were not as the pattern says, or whose connection broke.
    failed_transactions,
    /// Failed transactions, connects and connections.
    errors,
    /// Connections opened in all (attempts).
    connections,
    /// Connections open and usable now.
    active,
    /// Connections being opened now.
    connecting,
    /// Attempts that failed.
    failed_connects,
    /// Established connections that broke.
    failed_connections,
    /// Connections opened in place of broken ones.
    reconnects,
    /// Connections that the peer reset.
    resets,
    /// Connections and transactions given up for lack of an answer.
    timeouts,
    /// Distinct nodes that answered.
    backends,
    /// Answers with a status of 200 to 299.
    successes = "http.successes",
    /// Answers with a status of 300 to 399.
    redirects = "http.redirects",
    /// Answers with a status of 400 to 499.
    client_errors = "http.client_errors",
    /// Answers with a status of 500 to 599.
    server_errors = "http.server_errors",
}

impl Live {
    /// Counts an answer with this status; 0: there was none.
    pub fn answered(&self, status: u16) {
        let counter = match status / 100 {
            2 => &self.successes,
            3 => &self.redirects,
            4 => &self.client_errors,
            5 => &self.server_errors,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
