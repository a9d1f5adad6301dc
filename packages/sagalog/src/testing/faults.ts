/**
 * What can go wrong in a simulated world, as data: each fault names the place where it strikes, so
 * that one can be taken away and the rest stays as it is.
 */
import { below, type Random } from '@sagalog/kernel'
import type { SagaDefinition, StepDefinition } from '@sagalog/saga'

/**
 * crash: a process or the broker loses its power when the step acts. refuse: the step says no.
 * ambiguous: it happens and nobody hears of it. late: it happens after its time was up. duplicate:
 * a command or a reply comes twice. reorder: one comes later than others. clock-jump: the wall
 * clock moves.
 */
export type FaultClass =
  | 'crash'
  | 'refuse'
  | 'ambiguous'
  | 'late'
  | 'duplicate'
  | 'reorder'
  | 'clock-jump'

export const faultClasses: readonly FaultClass[] = [
  'crash',
  'refuse',
  'ambiguous',
  'late',
  'duplicate',
  'reorder',
  'clock-jump',
]

export interface Fault {
  readonly kind: FaultClass
  /** The number of the saga, from 1. */
  readonly saga: number
  /** The name of the step, or of its run in a loop. */
  readonly step: string
  readonly action: 'run' | 'undo'
  /** Of a crash: what dies, and whether the effect has happened then. */
  readonly who: 'runtime' | 'services' | 'broker'
  readonly isAfter: boolean
}

/** True for faults that this step can meet. */
export function isPossible(kind: FaultClass, step: StepDefinition): boolean {
  const { action, phase } = step
  if (action.kind !== 'local' && action.kind !== 'remote') return false
  if (kind === 'refuse') return phase !== 'then'
  const isWaitedFor = action.kind === 'local' || action.timeoutMs !== undefined
  if (kind === 'ambiguous') return phase === 'step' && isWaitedFor
  if (kind === 'late') return phase === 'step' && action.timeoutMs !== undefined
  return true
}

const pick = <A>(random: Random, items: readonly A[]): A | undefined =>
  items[below(random, items.length)]

/** Some faults, for so many sagas of this definition. */
export function drawFaults(
  random: Random,
  {
    definition,
    classes,
    sagas,
  }: {
    readonly definition: SagaDefinition
    readonly classes: readonly FaultClass[]
    readonly sagas: number
  },
): readonly Fault[] {
  const faults: Fault[] = []
  const count = below(random, 2 * sagas + 1)
  for (let index = 0; index < count; index += 1) {
    const kind = pick(random, classes)
    const steps = definition.steps.filter((step) => kind !== undefined && isPossible(kind, step))
    const step = pick(random, steps)
    if (kind === undefined || step === undefined) continue
    const isUndo = below(random, 3) === 0 && !['refuse', 'ambiguous', 'late'].includes(kind)
    faults.push({
      kind,
      saga: 1 + below(random, sagas),
      step: step.items === undefined ? step.name : `${step.name}#${below(random, 2)}`,
      action: isUndo ? 'undo' : 'run',
      who: pick(random, ['runtime', 'services', 'broker'] as const) ?? 'runtime',
      isAfter: below(random, 2) === 0,
    })
  }
  return faults
}

/** A fault in words. */
export function faultText({ kind, saga, step, action, who, isAfter }: Fault): string {
  const what = action === 'undo' ? `the undo of ${step}` : step
  const of = `${what} of saga ${saga}`
  switch (kind) {
    case 'crash':
      return `${who} crashes ${isAfter ? 'right after' : 'just before'} ${of}`
    case 'refuse':
      return `${of} is refused`
    case 'ambiguous':
      return `${of} happens, and its answer is lost`
    case 'late':
      return `${of} happens after its time was up`
    case 'duplicate':
      return `${of} is delivered twice`
    case 'reorder':
      return `${of} is delivered after what came behind it`
    default:
      return `the clock jumps at ${of}`
  }
}
