/**
 * Are a saga's tests strong enough? Each undo is dropped in turn; tests that still pass would not
 * notice that it is missing.
 */
import { type SagaDefinition, hasUndo } from '../definition.js'
import type { Saga } from '../saga-types.js'

/** The same saga without the undo of one step. */
export function withoutUndo<Definition extends SagaDefinition>(
  saga: Definition,
  name: string,
): Definition {
  const steps = saga.steps.map((step) => {
    if (step.name !== name) return step
    const action = { ...step.action, undo: undefined } as typeof step.action
    return { ...step, action, irreversible: step.irreversible ?? 'its undo was dropped' }
  })
  const stages = saga.stages.map((stage) =>
    stage.map((step) => steps.find((other) => other.name === step.name) ?? step),
  )
  return { ...saga, steps, stages }
}

/**
 * Runs `tests` with each undo dropped in turn, and rejects with the names of those whose absence
 * they did not notice. `tests` are to pass with the saga as it is; that is tried first.
 */
export async function expectUndosAreTested<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  tests: (saga: Saga<Input, Context, Refusal>) => Promise<unknown>,
): Promise<void> {
  await tests(saga)
  const survivors: string[] = []
  for (const step of saga.steps) {
    if (!hasUndo(step)) continue
    const isNoticed = await tests(withoutUndo(saga, step.name)).then(
      () => false,
      () => true,
    )
    if (!isNoticed) survivors.push(step.name)
  }
  if (survivors.length > 0)
    throw new Error(
      `no test notices that an undo of ${saga.name} is missing: ${survivors.join(', ')}`,
    )
}
