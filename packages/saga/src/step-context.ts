/** What a step may read: the saga's input and the results of the steps before it, decoded. */
import { assert } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import type { Codec, SagaDefinition, StepContext, StepDefinition } from './definition.js'
import { loopIndex, loopName } from './definition.js'
import type { SagaState, StepState } from './evolve.js'

/** Decoded results; a state of a step is decoded once, however many steps read it. */
const decoded = new WeakMap<StepState, unknown>()

function read(codec: Codec, value: unknown, what: string): unknown {
  const result = codec.decode(value)
  // It was decoded once before it was stored, by a codec of the same fingerprint.
  assert(E.isRight(result), `${what} fits its codec`)
  return result.right
}

function resultOf(step: StepDefinition, state: StepState | undefined): unknown {
  if (state === undefined) return undefined
  if (state.status === 'done') {
    if (!decoded.has(state)) decoded.set(state, read(step.out, state.result, step.name))
    return decoded.get(state)
  }
  if (state.status !== 'undone' || O.isNone(state.done)) return undefined
  return read(step.out, state.done.value, step.name)
}

/** Decoded inputs, by the object that stands in the state; a long saga reads its own many times. */
const inputs = new WeakMap<object, { readonly codec: Codec; readonly value: unknown }>()

function inputOf({ input: codec }: SagaDefinition, { input }: SagaState): unknown {
  if (typeof input !== 'object' || input === null) return read(codec, input, 'the input')
  const known = inputs.get(input)
  if (known?.codec === codec) return known.value
  const value = read(codec, input, 'the input')
  inputs.set(input, { codec, value })
  return value
}

/** The input and the results of the steps of all stages before this one. */
function contextBefore(
  definition: SagaDefinition,
  state: SagaState,
  stage: number,
): Record<string, unknown> {
  const context: Record<string, unknown> = {
    input: inputOf(definition, state),
  }
  for (const earlier of definition.steps) {
    if (earlier.stage >= stage) break
    const count = state.loops[earlier.name]
    const value =
      count === undefined
        ? resultOf(earlier, state.steps.get(earlier.name))
        : Array.from({ length: count }, (_, index) =>
            resultOf(earlier, state.steps.get(loopName(earlier.name, index))),
          )
    if (value !== undefined) context[earlier.name] = value
  }
  return context
}

/** The input and all results, of a saga that has ended. */
export function wholeContext(definition: SagaDefinition, state: SagaState): StepContext {
  return contextBefore(definition, state, definition.stages.length)
}

/** What a step may read. `name` is that of its run, in a loop. */
export function contextOf(
  definition: SagaDefinition,
  state: SagaState,
  step: StepDefinition,
  name: string = step.name,
): StepContext {
  const context = contextBefore(definition, state, step.stage)
  const index = loopIndex(name)
  if (index === undefined || step.items === undefined) return context
  return { ...context, item: step.items(context)[index], index }
}

/** What the undo of a step is told about it. */
export function doneOf(state: SagaState, step: StepDefinition, name: string): O.Option<unknown> {
  const stepState = state.steps.get(name)
  if (stepState?.status !== 'undoing') return O.none
  return O.map((result: unknown) => read(step.out, result, name))(stepState.done)
}
