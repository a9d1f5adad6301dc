/** Every bound of the broker, with the reason beside it. */
import { assert } from '@sagalog/kernel'

/** Bytes of one message body: RocketMQ's own default. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024
/** Bytes of one message's property text: its length field has 15 usable bits. */
export const PROPERTIES_BYTES_MAX = 32_767
/** Messages of one pull answer. */
export const PULL_MESSAGES_MAX = 1_024
/** Body bytes of one pull answer; one message is always given. */
export const PULL_BYTES_MAX = 1024 * 1024
/** Longest time a pull is held. */
export const PULL_SUSPEND_MS_MAX = 30_000
/** Messages that one pull with a filter looks at; then its client asks on. */
export const FILTER_SCAN_MAX = 4_096
/** How long a client of RocketMQ counts without a heartbeat, milliseconds. */
export const CLIENT_EXPIRY_MS = 120_000
/** Settled offsets above a place's watermark; at the bound, delivery of that queue pauses. */
export const SETTLED_ABOVE_MAX = 10_000
/** Decisions remembered to answer a late or repeated confirmation. */
export const DECISIONS_KEPT = 4_096
/** Requests that wait for room in the log; more are refused as busy. */
export const WAITING_MAX = 100_000
/** Bytes of the bodies of those; a disk that does not keep up must not fill the memory. */
export const WAITING_BYTES_MAX = 256 * 1024 * 1024
/** TCP connections of one listener: well below what systems allow a process to open. */
export const CONNECTIONS_MAX = 8_192
/** Connections without a byte in either direction for so long are closed, as in RocketMQ. */
export const IDLE_MS_MAX = 120_000
/** A frame that has begun must be there within so long. */
export const FRAME_MS_MAX = 30_000
/** Bytes of frames that are not there whole yet, over all connections of a listener. */
export const INBOUND_BYTES_MAX = 256 * 1024 * 1024
/** Replies that a client has not read; beyond it the client's requests are not read either. */
export const UNREAD_REPLIES_BYTES_MAX = 4 * 1024 * 1024
/** Beyond it the connection is closed: pulls that were held can still add to the replies. */
export const OUTBOUND_BYTES_MAX = 64 * 1024 * 1024
/** Names that fold into memory for good: any client can think of new ones. */
export const TOPICS_MAX = 100_000
export const GROUPS_MAX = 100_000
/** Queues of one topic. */
export const QUEUES_MAX = 1_024
/** Items of one commit, of each sort. */
export const COMMIT_ITEMS_MAX = 10_000
/** Events of one answer to a stream read. */
export const READ_EVENTS_MAX = 1_000
/** Body bytes of one answer to a stream read; one event is always given. */
export const READ_BYTES_MAX = 4 * 1024 * 1024
/** Longest time a read of events is held. */
export const READ_SUSPEND_MS_MAX = 30_000
/** Streams of one answer to a listing. */
export const LIST_STREAMS_MAX = 1_000
/** Pairs of a group and a topic that are counted by themselves; the rest is counted together. */
export const TALLY_ROWS_MAX = 10_000
/** Ages of oldest messages that are looked up for one look at the metrics. */
export const METRICS_AGES_MAX = 1_000
/** Topics or groups of one answer to a listing. */
export const LIST_NAMES_MAX = 1_000
/** Keyed commits remembered, the newest ones. */
export const COMMIT_KEYS_KEPT = 100_000
/** Bytes of a commit's key: a stream's name, its category and a key of the caller's fit in. */
export const COMMIT_KEY_BYTES_MAX = 4_096
/** Producers whose numbered sends are remembered: those that sent last. */
export const PRODUCERS_KEPT = 10_000
/** Sends in flight that there is room for, over all producers; each place takes 24 bytes. */
export const SEND_PLACES_KEPT = 1_000_000
/** Longest delay of a timer: ten years, milliseconds. */
export const TIMER_DELAY_MS_MAX = 315_576_000_000
/** Timers further away than this are set again on the way: Node's own limit is 2^31 ms. */
export const TIMER_STEP_MS_MAX = 3_600_000
/** Timers of one answer to a listing. */
export const LIST_TIMERS_MAX = 1_000
/** Half messages of one answer, and their bytes; one is always given. */
export const LIST_HALVES_MAX = 64
export const LIST_HALVES_BYTES_MAX = 1024 * 1024
/** The wall clock is looked at so often, as long as a timer depends on it. */
export const WALL_CLOCK_WATCH_MS = 5_000
/** It was moved when it and the monotonic clock disagree by more than this. */
export const WALL_CLOCK_MOVED_MS = 100
/** Log bytes after which the folds are saved again. */
export const CHECKPOINT_EVERY_BYTES = 16 * 1024 * 1024
/** How often is looked for what may be let go, milliseconds. */
export const RETENTION_EVERY_MS = 60_000
/** How often segments are looked through for what may be taken out of them, milliseconds. */
export const REWRITE_EVERY_MS = 21_600_000
/** Queues that are looked at in one turn. */
export const EXPIRY_QUEUES_AT_ONCE = 512
/** Rows of queues that a group holds up, for operators. */
export const HELD_UP_ROWS_MAX = 100
/** Requests of one channel whose time is being taken. */
export const TIMED_REQUESTS_MAX = 100_000
/** Notices kept for the first who listens. */
export const NOTICES_KEPT = 100

assert(PULL_BYTES_MAX < 16 * 1024 * 1024, 'a pull answer fits into one frame of the protocol')
assert(READ_BYTES_MAX + BODY_BYTES_MAX < 16 * 1024 * 1024, 'so does an answer to a stream read')
