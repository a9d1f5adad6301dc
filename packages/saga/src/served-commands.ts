/**
 * The whole side of a service in one function: it keeps an inbox by the command's key, so that a
 * command that comes again is answered and not done again, and a fence, so that a `run` that comes
 * after its `undo` is not done at all. What was done, the answer and the acknowledgement are one
 * commit. Invariant: a key is run at most once and never after its undo; the tombstones stay as
 * long as the events of the command topic's inbox.
 */
import { type Connection, createConsumer, ensureTopic } from '@sagalog/client'
import type { Problem, Topic, Tx } from '@sagalog/client'
import { appendIn, createEventStore, defineEvents, type EventsOf } from '@sagalog/event-store'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { commandOf, reply, type SagaCommand } from './participant.js'
import { refusable } from './refuse.js'

/** What is known of one key. */
function inboxEvents(topic: string) {
  return defineEvents(`${topic}-inbox`, {
    Done: t.type({ result: t.unknown }),
    Refused: t.type({ refusal: t.unknown }),
    /** From here on its run is refused. */
    Undone: t.type({ hadRun: t.boolean }),
  })
}
type InboxEvent = EventsOf<ReturnType<typeof inboxEvents>>

/** What a service is told with each command. */
export interface ServedMeta extends SagaCommand {
  /** What is put into it commits together with the answer, or not at all. */
  readonly tx: Tx
  readonly signal: AbortSignal
}

export interface ServeOptions<Command, A> {
  readonly group: string
  readonly instance: string
  /**
   * Does what is asked for. Its answer is encoded as the step's codec would. A left, or a thrown
   * `Refuse`, is a refusal; any other throw is a hiccup, and the command comes again.
   */
  readonly run: (command: Command, meta: ServedMeta) => Promise<A> | TaskEither<unknown, A>
  /** Takes it back; `done` is none when it never ran here. Not called for what was refused. */
  readonly undo: (command: Command, done: O.Option<A>, meta: ServedMeta) => Promise<void>
  /** Queues of the command topic and of the inbox when they are created; 16 unless told. */
  readonly queues?: number
  readonly retryMs?: number
  readonly onProblem?: (problem: Problem) => void
}

export interface ServedCommands {
  /** Creates the topic and the inbox when they are missing, then takes up work. */
  start(): Promise<void>
  close(): Promise<void>
}

const QUEUES = 16

interface Known<A> {
  readonly isUndone: boolean
  readonly done: O.Option<A>
  readonly refused: O.Option<unknown>
}

function knownOf<A>(events: readonly InboxEvent[]): Known<A> {
  let known: Known<A> = { isUndone: false, done: O.none, refused: O.none }
  for (const event of events) {
    // What this service answered before.
    if (event.type === 'Done') known = { ...known, done: O.some(event.data.result as A) }
    else if (event.type === 'Refused') known = { ...known, refused: O.some(event.data.refusal) }
    else known = { ...known, isUndone: true }
  }
  return known
}

/** Serves the commands of one topic. */
export function serveCommands<Command, A>(
  connection: Connection,
  topic: Topic<Command>,
  { run, undo, queues = QUEUES, ...options }: ServeOptions<Command, A>,
): ServedCommands {
  const events = inboxEvents(topic.name)
  const store = createEventStore(connection)
  // A command whose service is out of order is not thrown away: the saga waits for it.
  const consumer = createConsumer(connection, {
    attemptsMax: Number.MAX_SAFE_INTEGER,
    ...options,
  })
  consumer.listen(
    topic,
    async (message, tx, { signal }) => {
      const command = commandOf(message)
      const meta: ServedMeta = { ...command, tx, signal }
      const { events: before, version } = await store.read(events, command.key)
      const known = knownOf<A>(before)
      const happens = (event: InboxEvent): void =>
        appendIn(tx, events, command.key, [event], { expected: version })
      if (command.action === 'undo') {
        if (!known.isUndone) {
          if (O.isNone(known.refused)) await undo(message.body, known.done, meta)
          happens(events.make.Undone({ hadRun: O.isSome(known.done) }))
        }
        return reply(tx, message, { undone: true })
      }
      // The fence: whoever asked has taken it back, and waits for nothing.
      if (known.isUndone) return
      if (O.isSome(known.done)) return reply(tx, message, { done: known.done.value })
      if (O.isSome(known.refused)) return reply(tx, message, { refused: known.refused.value })
      const answer = run(message.body, meta)
      const result = await (typeof answer === 'function' ? answer : refusable(() => answer))()
      if (E.isLeft(result)) {
        happens(events.make.Refused({ refusal: result.left }))
        return reply(tx, message, { refused: result.left })
      }
      happens(events.make.Done({ result: result.right }))
      reply(tx, message, { done: result.right })
    },
    { order: 'orderly' },
  )
  return {
    async start() {
      await ensureTopic(connection, topic, { queues })
      await store.ensureCategory(events, { queues })
      await consumer.start()
    },
    close: () => consumer.close(),
  }
}
