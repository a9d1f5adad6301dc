/** What a step may read: the saga's input and the results of the steps before it, decoded. */
import { assert } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import type { Codec, SagaDefinition, StepContext, StepDefinition } from './definition.js'
import type { SagaState } from './evolve.js'

function read(codec: Codec, value: unknown, what: string): unknown {
  const decoded = codec.decode(value)
  // It was decoded once before it was stored, by a codec of the same fingerprint.
  assert(E.isRight(decoded), `${what} fits its codec`)
  return decoded.right
}

export function contextOf(
  definition: SagaDefinition,
  state: SagaState,
  step: StepDefinition,
): StepContext {
  const context: Record<string, unknown> = {
    input: read(definition.input, state.input, 'the input'),
  }
  for (const earlier of definition.steps) {
    if (earlier === step) break
    const stepState = state.steps[earlier.name]
    // Later steps are undone first, so an undo still finds all results before it.
    if (stepState?.status === 'done')
      context[earlier.name] = read(earlier.out, stepState.result, earlier.name)
  }
  return context
}

/** What the undo of a step is told about it. */
export function doneOf(state: SagaState, step: StepDefinition): O.Option<unknown> {
  const stepState = state.steps[step.name]
  if (stepState?.status !== 'undoing') return O.none
  return O.map((result: unknown) => read(step.out, result, step.name))(stepState.done)
}
