/**
 * Every bound and default of the client in one place; sizes are the protocol's. Times are
 * milliseconds of the monotonic clock.
 */

export const REQUEST_TIMEOUT_MS = 3_000
/** Requests without a reply, sent or waiting for a connection; more are refused as OVERLOADED. */
export const REQUESTS_PENDING_MAX = 65_536
/** Overdue requests are looked for at most this often. */
export const SWEEP_EVERY_MS = 10
/** How long a process that was paused may take to hear the answers that waited meanwhile. */
export const WAKE_GRACE_MS = 1_000
/**
 * A peer that leaves requests overdue and was silent this long is asked for a sign of life, and
 * taken for dead when none comes.
 */
export const PEER_SILENT_MS_MAX = 15_000
export const CONNECT_TIMEOUT_MS = 5_000
export const RECONNECT_DELAY_MS_MIN = 10
export const RECONNECT_DELAY_MS_MAX = 2_000
/** Between two tries of a request that the broker was too busy for. */
export const BUSY_RETRY_MS = 20

export const HEARTBEAT_EVERY_MS = 10_000
export const ROUTE_MAX_AGE_MS = 30_000
export const ROUTES_CACHED_MAX = 1_024

/** How long the broker may hold a pull that finds nothing. */
export const PULL_SUSPEND_MS = 15_000
export const PULL_MESSAGES_MAX = 64
export const PULL_BYTES_MAX = 1024 * 1024
/** Fetched but not yet delivered, per queue; the pull waits above it. */
export const PREFETCH_MESSAGES_MAX = 128
export const PREFETCH_BYTES_MAX = 4 * 1024 * 1024
/**
 * Messages of a queue that only have to be settled, because they were handled without a change or
 * nobody wants them; delivery waits above it.
 */
export const TO_SETTLE_MAX = 1_024
/** Before the next pull when one failed, or when an empty answer was not held back. */
export const PULL_RETRY_MS = 50

/** What a packed body may grow to; a longer one is not read. */
export const INFLATED_BYTES_MAX = 64 * 1024 * 1024

/** Before a queue is read again whose bytes were no message. */
export const MALFORMED_RETRY_MS = 1_000

export const CONCURRENT_IN_HAND_MAX = 32
export const HELD_IN_HAND_MAX = 1_000

export const HANDLER_RETRY_MS = 1_000
export const HANDLER_ATTEMPTS_MAX = 16
/** Version conflicts in a row that are retried at once; later ones wait a little, with jitter. */
export const CONFLICTS_AT_ONCE_MAX = 5
export const CONFLICT_WAIT_MS_MAX = 50

/** Keys of one queue that wait for a person; at the bound the next to fail is tried on in place. */
export const PARKED_KEYS_MAX = 1_000
/** How often a queue with parked keys looks whether one was released. */
export const PARKED_LOOK_MS = 1_000

/** When the broker could not be asked for leases; also the pace of asking after a refusal. */
export const LEASE_RETRY_MS = 100
/** Tries of a commit with a key and no acknowledgement whose replies get lost. */
export const COMMIT_TRIES_MAX = 5

/** Names of one answer to an operator's listing, and messages of one answer to his search. */
export const LISTED_AT_ONCE = 1_000
export const SEARCHED_AT_ONCE = 1_024
