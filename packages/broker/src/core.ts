/**
 * The parts that every request handler and loop of the broker works with, and the call that one
 * request is. Wired once, in broker.ts.
 */
import type { Clock, Position, Random } from '@sagalog/kernel'
import type { Folds, Log } from '@sagalog/log-core'
import { type Command, isOneway, responseOf, ResponseCode } from '@sagalog/protocol'
import type { AssignedGroups } from './assigned-groups.js'
import type { CommitKeysFold } from './folds/commit-keys.js'
import type { HalvesFold } from './folds/halves.js'
import type { LeasesFold } from './folds/leases.js'
import type { PlacesFold } from './folds/places.js'
import type { ProducersFold } from './folds/producers.js'
import type { QueuesFold } from './folds/queues.js'
import type { ResetsFold } from './folds/resets.js'
import type { StreamStatesFold } from './folds/stream-states.js'
import type { StreamsFold } from './folds/streams.js'
import type { TimersFold } from './folds/timers.js'
import type { TopicsFold } from './folds/topics.js'
import type { HeldPulls } from './held-pulls.js'
import type { HeldReads } from './held-reads.js'
import type { Members, Session } from './members.js'
import type { Settings } from './options.js'
import type { Outbox } from './outbox.js'
import type { QueueLocks } from './queue-locks.js'
import type { RetentionAccount } from './retention-account.js'
import type { Decision, Sequencer, Work } from './sequence.js'
import type { Tally } from './tally.js'

/** The folds: all that the broker knows from its log. */
export interface State {
  readonly topics: TopicsFold
  readonly queues: QueuesFold
  readonly places: PlacesFold
  readonly leases: LeasesFold
  readonly halves: HalvesFold
  readonly timers: TimersFold
  readonly streams: StreamsFold
  readonly streamStates: StreamStatesFold
  readonly commitKeys: CommitKeysFold
  readonly producers: ProducersFold
  readonly resets: ResetsFold
}

export interface Core {
  readonly settings: Settings
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly folds: Folds
  readonly state: State
  readonly sequencer: Sequencer
  readonly outbox: Outbox
  readonly members: Members
  readonly assigned: AssignedGroups
  readonly locks: QueueLocks
  readonly heldPulls: HeldPulls
  readonly heldReads: HeldReads
  readonly tally: Tally
  readonly retention: RetentionAccount
  /** A new unique message id. */
  uniqueId(): string
  /** Counts up: unkeyed messages take their queues by turns. */
  turn(): number
}

/** A refusal as RocketMQ words it: a response code and a remark. */
export interface Refusal {
  readonly code: number
  readonly remark: string
}

const REFUSALS = {
  busy: {
    code: ResponseCode.SYSTEM_BUSY,
    remark: 'the broker is busy: too many requests wait for room in the log',
  },
  full: {
    code: ResponseCode.SERVICE_NOT_AVAILABLE,
    remark: 'service not available now: no space left for the log; nothing was written',
  },
  'too-large': {
    code: ResponseCode.MESSAGE_ILLEGAL,
    remark: 'the request is larger than one segment of the log can take',
  },
  closed: {
    code: ResponseCode.SERVICE_NOT_AVAILABLE,
    remark: 'service not available now: the log is closed or has failed',
  },
} as const

interface AnswerOptions {
  readonly code?: number
  readonly shows?: Position | undefined
}

const SUCCESS: AnswerOptions = {}

/** What a call asks of the sequencer. */
class CallWork implements Work {
  private readonly call: Call
  readonly decide: () => Decision
  readonly bytes: number

  constructor(call: Call, decide: () => Decision, bytes: number) {
    this.call = call
    this.decide = decide
    this.bytes = bytes
  }

  refuse(reason: keyof typeof REFUSALS): void {
    this.call.refuse(REFUSALS[reason])
  }
}

/** One request of one session, answered at most once. */
export class Call {
  readonly core: Core
  readonly session: Session
  readonly command: Command

  constructor(core: Core, session: Session, command: Command) {
    this.core = core
    this.session = session
    this.command = command
  }

  /** Answers once the log is safe up to `end`; `shows` is for the account of early replies. */
  answer(payload: unknown, end: Position, more: AnswerOptions = SUCCESS): void {
    const { code = ResponseCode.SUCCESS, shows = end } = more
    this.post(responseOf(this.command, { code, payload }), end, shows)
  }

  refuse({ code, remark }: Refusal, end: Position = this.core.log.watermark('memory')): void {
    this.post(responseOf(this.command, { code, payload: undefined, remark }), end)
  }

  /** Answers for something that could not be read. */
  fail(error: unknown): void {
    const remark = error instanceof Error ? error.message : String(error)
    this.refuse({ code: ResponseCode.SYSTEM_ERROR, remark })
  }

  /** Sequences `decide`, which holds `bytes`, and answers what the log can't take. */
  sequence(decide: () => Decision, bytes = 0): void {
    this.core.sequencer.submit(new CallWork(this, decide, bytes))
  }

  private post(command: Command, end: Position, shows: Position = end): void {
    if (isOneway(this.command) || !this.session.isOpen) return
    this.core.outbox.post({ end, shows, channel: this.session.channel, command })
  }
}

/** A decision that writes nothing and answers with a refusal. */
export function refused(call: Call, refusal: Refusal): Decision {
  return { drafts: [], applied: (end) => call.refuse(refusal, end) }
}
