/**
 * Moves one saga on by one message, as far as one commit may: decides, runs local actions when
 * their turn has come, decides on what came of them. Invariant: an action that has an undo runs
 * only after its registration is durable, and actions run in one round per commit, side by side.
 */
import type { Clock } from '@sagalog/kernel'
import { decide, decidePark } from './decide.js'
import type { SagaDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { evolve, type SagaState } from './evolve.js'
import { act, type Attempt } from './local-action.js'
import { type Outgoing, outgoingOf, type Sender } from './outgoing.js'
import type { SagaEvent } from './saga-events.js'
import type { Effect, SagaInput } from './turn.js'

export interface Turn {
  readonly from: SagaState
  readonly first: SagaInput
  readonly clock: Clock
  /** Local actions are put off to a later commit without it. */
  readonly attempt: Attempt | undefined
}

/** What one message leads to. */
export interface Advance {
  readonly events: readonly SagaEvent[]
  readonly outgoing: readonly Outgoing[]
}

type Act = Extract<Effect, { kind: 'act' }>

function isReady({ step, action, delayMs }: Act, first: SagaInput): boolean {
  if (delayMs > 0) return false
  // Without an undo nothing must be registered before; and the saga's own message comes after it.
  return action === 'undo' || step.action.undo === undefined || first.kind === 'continue'
}

/** Makes what effects ask for; local steps that go on in the next commit do so together. */
function madeAll(sender: Sender, effects: readonly Effect[]): readonly Outgoing[] {
  const isNow = (effect: Effect): effect is Act => effect.kind === 'act' && effect.delayMs === 0
  const [first, ...more] = effects.filter(isNow)
  const names = more.map(({ name }) => name)
  return effects
    .filter((effect) => !isNow(effect) || effect === first)
    .map((effect) => made(sender, effect, effect === first ? names : []))
}

/** Decides until nothing is left to decide in this commit. */
async function decideAll(
  definition: SagaDefinition,
  sagaId: string,
  { from, first, clock, attempt }: Turn,
): Promise<Advance> {
  const events: SagaEvent[] = []
  const outgoing: Outgoing[] = []
  const inputs: SagaInput[] = [first]
  let state = from
  let mayAct = attempt !== undefined
  for (let input = inputs.shift(); input !== undefined; input = inputs.shift()) {
    const decision = decided(definition, state, input, clock.wallMs())
    state = decision.events.reduce(evolve, state)
    events.push(...decision.events)
    const sender: Sender = { definition, sagaId, state }
    const isNow = (effect: Effect): effect is Act =>
      mayAct && effect.kind === 'act' && isReady(effect, first)
    const acts = decision.effects.filter(isNow)
    outgoing.push(
      ...madeAll(
        sender,
        decision.effects.filter((effect) => !isNow(effect)),
      ),
    )
    if (attempt === undefined || acts.length === 0) continue
    mayAct = false
    for (const acted of await Promise.all(acts.map((one) => act(sender, one, attempt)))) {
      outgoing.push(...acted.outgoing)
      inputs.push(acted.input)
    }
  }
  return { events, outgoing }
}

/** Tells what the user's pure functions throw from what else can go wrong. */
function isUnmakeable(thrown: unknown): thrown is SagaError {
  return SagaError.is(thrown) && thrown.code === 'UNMAKEABLE'
}

function unmakeable(what: string, step: string, thrown: unknown): SagaError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return new SagaError('UNMAKEABLE', { what, step, reason }, { cause: thrown })
}

function decided(
  definition: SagaDefinition,
  state: SagaState,
  input: SagaInput,
  nowMs: number,
): ReturnType<typeof decide> {
  try {
    return decide(definition, state, input, nowMs)
  } catch (thrown) {
    throw unmakeable('next step', `${definition.name} after ${input.kind}`, thrown)
  }
}

function made(sender: Sender, effect: Effect, more: readonly string[]): Outgoing {
  try {
    return outgoingOf(sender, effect, more)
  } catch (thrown) {
    const where = 'step' in effect ? effect.name : sender.definition.name
    throw unmakeable(effect.kind, where, thrown)
  }
}

/**
 * The events and the messages of one commit of one saga. Throws when this instance may no longer
 * act for it; a saga whose command cannot be made is parked.
 */
export async function advance(
  definition: SagaDefinition,
  sagaId: string,
  turn: Turn,
): Promise<Advance> {
  try {
    return await decideAll(definition, sagaId, turn)
  } catch (thrown) {
    if (!isUnmakeable(thrown)) throw thrown
    // Pure functions throw again when asked again: the saga waits for a person, not the queue.
    const how = { reason: thrown.message, nowMs: turn.clock.wallMs() }
    const { events } = decidePark(definition, turn.from, turn.first, how)
    return { events, outgoing: [] }
  }
}
