/**
 * Laws that every decider must keep, tried with random commands and events made from its own
 * codecs: functions are total, what is stored is read back, a replay gives the state that lived,
 * and a snapshot is as good as a replay.
 */
import { streamVersion } from '@sagalog/kernel'
import type * as FastCheck from 'fast-check'
import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { type Decider, type Evolution, fold } from '../decider.js'
import type { AnyEvent, EventSet } from '../event-set.js'
import { assertEqual } from '../specification.js'
import type { SnapshotOptions } from '../snapshots.js'
import { arbitraryOf, type ArbitraryOptions } from './arbitrary-of.js'

export interface ModelTestOptions<State> extends ArbitraryOptions {
  /** Where the random draws start; printed when a law breaks. */
  readonly seed?: number
  /** Sequences of commands tried; 200 unless told. */
  readonly runs?: number
  /** Tries the snapshots too. */
  readonly snapshots?: SnapshotOptions<State>
}

const RUNS = 200
const COMMANDS_MAX = 20

/** A value as JSON keeps it, so that an absent property and an undefined one are the same. */
const plain = (value: unknown): unknown =>
  value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown)

function roundTrip<Event extends AnyEvent>(set: EventSet<Event>, event: Event): Event {
  const { data, schema, type } = set.encode(event)
  const decoded = set.decode('s', { version: streamVersion(1), type, schema, data })
  if (E.isLeft(decoded))
    throw new Error(
      `${event.type} is not read back: ${decoded.left.failed}, ${decoded.left.reason}`,
    )
  assertEqual(plain(decoded.right), plain(event))
  return decoded.right
}

function checkSnapshot<State, Event extends AnyEvent>(
  evolution: Evolution<State, Event>,
  { codec }: SnapshotOptions<State>,
  { events, state }: { readonly events: readonly Event[]; readonly state: State },
): void {
  for (let at = 0; at <= events.length; at += 1) {
    const kept = plain(codec.encode(fold(evolution, events.slice(0, at))))
    const read = codec.decode(kept)
    if (E.isLeft(read)) throw new Error(`a snapshot after ${at} events is not read back`)
    assertEqual(fold(evolution, events.slice(at), read.right), state)
  }
}

/**
 * Any event in any order makes a state: what is in the log has happened, whatever `decide` says.
 */
function evolveIsTotal<State, Event extends AnyEvent>(
  fc: typeof FastCheck,
  evolution: Evolution<State, Event>,
  options: ModelTestOptions<State>,
): FastCheck.IProperty<[unknown[]]> {
  const { set } = evolution
  const events = Object.entries<t.Mixed>(set.codecs).map(([type, codec]) =>
    arbitraryOf(fc, codec, options).map((data): AnyEvent => ({ type, data })),
  )
  return fc.property(fc.array(fc.oneof(...events), { maxLength: 30 }), (history: unknown[]) => {
    const read = history.map((event) => roundTrip(set, event as Event))
    fold(evolution, read)
  })
}

/** Old bytes of any kind are a value or a readable refusal, never a throw. */
function decodeIsTotal(
  fc: typeof FastCheck,
  set: EventSet<AnyEvent>,
): FastCheck.IProperty<[string, number, string]> {
  const schemas = fc.integer({ min: 1, max: 5 })
  return fc.property(fc.constantFrom(...set.types), schemas, fc.json(), (type, schema, json) => {
    set.decode('s', { version: streamVersion(1), type, schema, data: Buffer.from(json) })
  })
}

/**
 * Tries the laws; rejects with the smallest counterexample and its seed. Needs fast-check, which
 * the project brings along.
 */
export async function modelTest<State, Event extends AnyEvent, Command, Reason>(
  decider: Decider<State, Event, Command, Reason>,
  options: ModelTestOptions<State> = {},
): Promise<void> {
  const fc = await import('fast-check')
  const { runs: numRuns = RUNS, seed, snapshots } = options
  const parameters = { numRuns, ...(seed === undefined ? {} : { seed }) }
  const { set } = decider
  fc.assert(decodeIsTotal(fc, set as unknown as EventSet<AnyEvent>), parameters)
  fc.assert(evolveIsTotal(fc, decider, options), parameters)
  const commands = Object.entries(decider.commandCodecs).map(([type, codec]) =>
    arbitraryOf(fc, codec, options).map((data): unknown => ({ type, data })),
  )
  const anyCommands = fc.array(fc.oneof(...commands), { maxLength: COMMANDS_MAX })
  const property = fc.property(anyCommands, (given) => {
    let state = decider.initial
    const history: Event[] = []
    for (const command of given) {
      const outcome = decider.decide(command as Command, state)
      if (E.isLeft(outcome)) continue
      for (const event of outcome.right) history.push(roundTrip(set, event))
      state = fold(decider, outcome.right, state)
    }
    assertEqual(plain(fold(decider, history)), plain(state))
    if (snapshots !== undefined)
      checkSnapshot(decider, snapshots, { events: history, state: fold(decider, history) })
  })
  fc.assert(property, parameters)
}
