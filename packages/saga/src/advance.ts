/**
 * Moves one saga on by one message, as far as one commit may: decides, runs a local action when its
 * turn has come, decides on what came of it. Invariant: at most one local action runs per commit,
 * and one that has an undo runs only after its registration is durable.
 */
import type { Clock } from '@sagalog/kernel'
import { decide, decidePark, type Effect, type SagaInput } from './decide.js'
import type { SagaDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { evolve, type SagaState } from './evolve.js'
import { act, type Attempt } from './local-action.js'
import { type Outgoing, outgoingOf, type Sender } from './outgoing.js'
import type { SagaEvent } from './saga-events.js'

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

function isReady({ step, action }: Extract<Effect, { kind: 'act' }>, first: SagaInput): boolean {
  // Without an undo nothing must be registered before; and the saga's own message comes after it.
  return action === 'undo' || step.action.undo === undefined || first.kind === 'continue'
}

/** Decides until nothing is left to decide in this commit. */
async function decideAll(
  definition: SagaDefinition,
  sagaId: string,
  { from, first, clock, attempt }: Turn,
): Promise<Advance> {
  const events: SagaEvent[] = []
  const outgoing: Outgoing[] = []
  let state = from
  let input: SagaInput | undefined = first
  let mayAct = attempt !== undefined
  while (input !== undefined) {
    const decision = decide(definition, state, input, clock.wallMs())
    state = decision.events.reduce(evolve, state)
    events.push(...decision.events)
    input = undefined
    const sender: Sender = { definition, sagaId, state }
    for (const effect of decision.effects) {
      if (effect.kind !== 'act' || attempt === undefined || !mayAct || !isReady(effect, first)) {
        outgoing.push(made(sender, effect))
        continue
      }
      mayAct = false
      const acted = await act(sender, effect.step, effect.action, attempt)
      outgoing.push(...acted.outgoing)
      input = acted.input
    }
  }
  return { events, outgoing }
}

/** Tells what the user's pure functions throw from what else can go wrong. */
function isUnmakeable(thrown: unknown): thrown is SagaError {
  return SagaError.is(thrown) && thrown.code === 'UNMAKEABLE'
}

function made(sender: Sender, effect: Effect): Outgoing {
  try {
    return outgoingOf(sender, effect)
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown)
    const { kind: what, step } = effect
    throw new SagaError('UNMAKEABLE', { what, step: step.name, reason }, { cause: thrown })
  }
}

/**
 * The events and the messages of one commit of one saga. Throws for a hiccup of a local action; a
 * saga whose command cannot be made is parked.
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
