/**
 * The one commit: everything that one handler changes, as data. It is applied whole or refused
 * whole, in one frame of the log. The codec for the wire is in the protocol package; the in-process
 * channel hands the object over as it is.
 */
import type { LeaseEpoch, Position, QueueOffset, StreamVersion } from './ids.js'

/** Names one queue as one group sees it. */
export interface GroupQueue {
  readonly group: string
  readonly topic: string
  readonly queueId: number
}

/** The grant under which acknowledgements are made. */
export interface LeaseRef extends GroupQueue {
  readonly epoch: LeaseEpoch
}

/** One message of one queue is settled for the group. */
export interface Ack extends GroupQueue {
  readonly offset: QueueOffset
}

/** A message to send. Without a sharding key, queues take turns. */
export interface OutgoingMessage {
  readonly topic: string
  /** The same key goes to the same queue. */
  readonly shardingKey?: string
  readonly tags?: string
  /** Business keys, found again by a query; no spaces inside a key. */
  readonly keys?: readonly string[]
  readonly properties?: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** What a stream must be like for an append to be taken. */
export type ExpectedVersion = 'any' | 'empty' | 'exists' | StreamVersion

/** What goes with an event and is not its payload: texts and bytes by name, whatever they hold. */
export type Metadata = Readonly<Record<string, string | Buffer>>

/** An event to append; `data` is its encoded payload. */
export interface EventDraft {
  readonly type: string
  /** Version of the payload's codec. */
  readonly schema: number
  readonly data: Buffer
  readonly metadata?: Metadata
}

export interface StreamAppend {
  /** The event topic. */
  readonly category: string
  readonly stream: string
  readonly expected: ExpectedVersion
  readonly events: readonly EventDraft[]
}

/**
 * What a stream is: `open` takes appends; `archived` is read as before and takes none until it is
 * opened again; `deleted` gives no event any more, and its name is never used again.
 */
export type StreamState = 'open' | 'archived' | 'deleted'

/** A change of a stream's state, with the reason for whoever asks later. */
export interface StreamClosing {
  readonly category: string
  readonly stream: string
  readonly expected: ExpectedVersion
  readonly state: StreamState
  readonly reason: string
}

/** A message to be sent after a delay, unless it is cancelled first. */
export interface TimerDraft {
  /** Chosen by the caller; unique among the open timers. */
  readonly id: string
  /** Milliseconds from the commit. */
  readonly delayMs: number
  readonly message: OutgoingMessage
}

export interface Commit {
  readonly leases: readonly LeaseRef[]
  readonly acks: readonly Ack[]
  readonly appends: readonly StreamAppend[]
  readonly sends: readonly OutgoingMessage[]
  readonly timers: readonly TimerDraft[]
  /** Ids of timers to cancel; one that is not open is ignored. */
  readonly cancels: readonly string[]
  /** Streams to archive, open again or delete, after the appends. */
  readonly closings?: readonly StreamClosing[]
  /**
   * Names this commit: of all commits under one name only the first is applied, and the later ones
   * are answered as it was, whatever they hold. The broker remembers the newest of such names.
   */
  readonly key?: string
}

/** What a commit that was applied reports. */
export interface Committed {
  /** The version of each appended stream, in the order of `appends`. */
  readonly versions: readonly StreamVersion[]
  /** The commit's last record; missing when it wrote none. Who has read past it has seen it all. */
  readonly position?: Position
  /** True when a commit with the same key was applied before: this is what it reported. */
  readonly isRepeat?: boolean
}

/** Why a commit was refused whole. Nothing was changed. */
export type CommitRefusal =
  | { readonly reason: 'stale-lease'; readonly queue: GroupQueue }
  | { readonly reason: 'already-settled'; readonly ack: Ack }
  | {
      readonly reason: 'version-conflict'
      readonly category: string
      readonly stream: string
      readonly actual: StreamVersion
    }
  | {
      readonly reason: 'stream-closed'
      readonly category: string
      readonly stream: string
      readonly state: StreamState
      /** The reason that was given when it was closed. */
      readonly why: string
    }
  | { readonly reason: 'no-such-topic'; readonly topic: string }
  | { readonly reason: 'not-allowed'; readonly detail: string }

/** A commit that changes nothing; spread it to build one. */
export const emptyCommit: Commit = {
  leases: [],
  acks: [],
  appends: [],
  sends: [],
  timers: [],
  cancels: [],
}
