/**
 * A decider: how events make a state, and what a command does to it. Everything here is pure; who
 * loads, appends and retries stands elsewhere. It is built in stages, because each stage fixes
 * types that the next one reads, and because a state written as one literal object would lose its
 * union.
 */
import { assert } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { AnyEvent, EventOf, EventSet } from './event-set.js'

/** One function per event; a missing one is a compile error. */
export type Evolvers<State, Event extends AnyEvent> = {
  readonly [Type in Event['type']]: (
    state: State,
    data: EventOf<Event, Type>['data'],
    event: EventOf<Event, Type>,
  ) => State
}

/** How the events of a set make a state. */
export interface Evolution<State, Event extends AnyEvent> {
  readonly set: EventSet<Event>
  readonly initial: State
  readonly evolve: (state: State, event: Event) => State
}

export type CommandCodecs = Readonly<Record<string, t.Mixed>>

/** The union of the commands that codecs describe, told apart by `type`. */
export type CommandUnion<Codecs extends CommandCodecs> = {
  [Type in keyof Codecs & string]: { readonly type: Type; readonly data: t.TypeOf<Codecs[Type]> }
}[keyof Codecs & string]

/**
 * Never a real reason. It stands where a reason is expected, so that the compiler keeps the literal
 * type of a tag that is written in place, and so that `E.right` has something to guess.
 */
type Hint = 'a tag' | { readonly _tag: 'a tag'; readonly 'never there': never }

/** What a command leads to: the events that follow (none is fine), or why it is turned down. */
export type Decision<Event> =
  | E.Right<readonly Event[]>
  | E.Left<Hint>
  | { readonly _tag: E.Left<unknown>['_tag'] }

/** One function per command; a missing one is a compile error. It must be pure. */
export type Deciders<State, Event, Codecs extends CommandCodecs> = {
  readonly [Type in keyof Codecs & string]: (
    data: t.TypeOf<Codecs[Type]>,
    state: State,
  ) => Decision<Event>
}

/** The union of the reasons in the results of a table of functions. */
export type RejectionsOf<Handlers> = {
  [Type in keyof Handlers]: Handlers[Type] extends (...args: never) => infer Result
    ? Result extends E.Left<infer Reason>
      ? Exclude<Reason, Hint>
      : never
    : never
}[keyof Handlers]

export interface Decider<State, Event extends AnyEvent, Command, Reason> extends Evolution<
  State,
  Event
> {
  readonly decide: (command: Command, state: State) => E.Either<Reason, readonly Event[]>
  /** Reads and writes commands as `{ type, data }`, for a topic that carries them. */
  readonly commands: t.Type<Command, unknown>
  /** The codec of each command's data. */
  readonly commandCodecs: CommandCodecs
}

export interface EvolvedStage<State, Event extends AnyEvent> extends Evolution<State, Event> {
  /** Names the commands by their codecs and says what each does. */
  decide<Codecs extends CommandCodecs, Handlers extends Deciders<State, Event, NoInfer<Codecs>>>(
    codecs: Codecs,
    handlers: Handlers,
  ): Decider<State, Event, CommandUnion<Codecs>, RejectionsOf<Handlers>>
}

export interface InitialStage<State, Event extends AnyEvent> {
  evolve(evolvers: Evolvers<State, Event>): EvolvedStage<State, Event>
}

/** A table of functions as seen by one that looks them up by name. */
type ByType<Args extends readonly unknown[], Result> = Readonly<
  Record<string, ((...args: Args) => Result) | undefined>
>

function commandsCodec<Command>(codecs: CommandCodecs): t.Type<Command, unknown> {
  const envelope = t.type({ type: t.string, data: t.unknown })
  const isCommand = (value: unknown): value is Command =>
    envelope.is(value) &&
    Object.hasOwn(codecs, value.type) &&
    codecs[value.type]?.is(value.data) === true
  return new t.Type<Command, unknown>(
    Object.keys(codecs).join(' | '),
    isCommand,
    (input, context) => {
      const read = envelope.validate(input, context)
      if (E.isLeft(read)) return read
      const { type, data } = read.right
      const codec = Object.hasOwn(codecs, type) ? codecs[type] : undefined
      if (codec === undefined) return t.failure(input, context, `no command ${type}`)
      const payload = codec.validate(data, t.appendContext(context, 'data', codec, data))
      return E.isLeft(payload) ? payload : t.success({ type, data: payload.right } as Command)
    },
    (command) => {
      const { type, data } = command as AnyEvent
      return { type, data: codecs[type]?.encode(data) }
    },
  )
}

/**
 * Begins a decider: `decider(OrderEvents, { status: 'none' } as State).evolve({...}).decide(...)`.
 */
export function decider<Event extends AnyEvent, State>(
  set: EventSet<Event>,
  initial: State,
): InitialStage<State, Event> {
  return {
    evolve(evolvers) {
      const table = evolvers as unknown as ByType<[State, unknown, Event], State>
      const evolve = (state: State, event: Event): State => {
        const step = table[event.type]
        assert(step !== undefined, `${set.category} has no event ${event.type}`)
        return step(state, event.data, event)
      }
      return {
        set,
        initial,
        evolve,
        decide<Codecs extends CommandCodecs, Handlers extends Deciders<State, Event, Codecs>>(
          codecs: Codecs,
          handlers: Handlers,
        ) {
          type Reason = RejectionsOf<Handlers>
          type Command = CommandUnion<Codecs>
          const byType = handlers as ByType<[unknown, State], E.Either<Reason, readonly Event[]>>
          const decide = (command: Command, state: State): E.Either<Reason, readonly Event[]> => {
            const handler = Object.hasOwn(byType, command.type) ? byType[command.type] : undefined
            assert(handler !== undefined, `${set.category} has no command ${command.type}`)
            return handler(command.data, state)
          }
          const commands = commandsCodec<Command>(codecs)
          return { set, initial, evolve, decide, commands, commandCodecs: codecs }
        },
      }
    },
  }
}

/** The state that events make, from the initial one or from `from`. */
export function fold<State, Event extends AnyEvent>(
  evolution: Evolution<State, Event>,
  events: Iterable<Event>,
  from: State = evolution.initial,
): State {
  let state = from
  for (const event of events) state = evolution.evolve(state, event)
  return state
}
