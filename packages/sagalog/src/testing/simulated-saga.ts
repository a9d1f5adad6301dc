/**
 * A definition with the world put in its place: policies, codecs, conditions and commands are the
 * user's, what steps do is the ledger's, and commands take a way on which they can be lost, doubled
 * and delayed. Sagas are told apart by the number in their id.
 */
import { type LocalAction, refusable, Refuse, type SagaDefinition } from '@sagalog/saga'
import type { StepContext, StepDefinition } from '@sagalog/saga'
import type { FaultClass } from './faults.js'

/** What a step does in the simulation: its result, and what it says when it is refused. */
export interface Simulated {
  readonly result: (context: StepContext) => unknown
  /** The tag of the `Refuse` that says so. */
  readonly refusal?: string
}

/** Where something is about to happen. */
export interface Site {
  readonly saga: number
  readonly sagaId: string
  readonly step: string
  readonly action: 'run' | 'undo'
  readonly key: string
}

/** What the world does at a site. */
export interface Stage {
  /** Strikes once: true when such a fault is planned here and has not struck yet. */
  strikes(kind: FaultClass, site: Site): boolean
  /** True when such a fault is planned here, however often it has struck. */
  isPlanned(kind: FaultClass, site: Site): boolean
  /** The effect happens, with a crash before or after it when one is planned. */
  happen(site: Site): Promise<void>
  takeBack(site: Site): Promise<void>
  /** The effect happens later on, when nobody waits for it any more. */
  happenLate(site: Site): void
}

/** The number at the end of a saga's id. A child has the number of its parent. */
export const numberOf = (sagaId: string): number => Number(/^\D*(\d+)/.exec(sagaId)?.[1] ?? 0)

export const wireName = (name: string): string => `${name}-wire`

function localStep(step: StepDefinition, simulated: Simulated, stage: Stage): StepDefinition {
  const { action } = step
  if (action.kind !== 'local') return step
  const siteOf = (meta: { sagaId: string; step: string; key: string }, what: Site['action']) => ({
    saga: numberOf(meta.sagaId),
    sagaId: meta.sagaId,
    step: meta.step,
    key: meta.key,
    action: what,
  })
  const run: LocalAction['run'] = (context, meta) => {
    const site = siteOf(meta, 'run')
    return refusable(async () => {
      if (stage.strikes('refuse', site)) throw new Refuse(simulated.refusal ?? 'refused')
      if (stage.isPlanned('late', site)) {
        if (stage.strikes('late', site)) stage.happenLate(site)
        // Nobody hears of it: the attempt's time runs out.
        return new Promise<never>(() => {})
      }
      await stage.happen(site)
      if (stage.isPlanned('ambiguous', site)) throw new Error('the answer was lost')
      if (stage.strikes('duplicate', site)) await stage.happen(site)
      return simulated.result(context)
    })
  }
  // Taking back is never refused.
  const undo = ((_context, _done, meta) =>
    refusable(() => stage.takeBack(siteOf(meta, 'undo')))) as NonNullable<LocalAction['undo']>
  const hasUndo = action.undo !== undefined
  return { ...step, action: { ...action, run, undo: hasUndo ? undo : undefined } }
}

function remoteStep(step: StepDefinition): StepDefinition {
  const { action } = step
  if (action.kind !== 'remote') return step
  const { to } = action
  const wire = { ...to, name: wireName(to.name) }
  return { ...step, action: { ...action, to: wire } }
}

/** The definition as the simulation runs it. */
export function simulatedSaga(
  definition: SagaDefinition,
  services: Readonly<Record<string, Simulated>>,
  stage: Stage,
): SagaDefinition {
  const replaced = definition.steps.map((step) => {
    if (step.action.kind === 'remote') return remoteStep(step)
    if (step.action.kind === 'child') {
      const child = simulatedSaga(step.action.child, services, stage)
      return { ...step, action: { ...step.action, child } }
    }
    return localStep(step, services[step.name] ?? { result: () => null }, stage)
  })
  const stages = definition.stages.map((all) =>
    all.map((step) => replaced.find(({ name }) => name === step.name) ?? step),
  )
  return { ...definition, steps: replaced, stages }
}
