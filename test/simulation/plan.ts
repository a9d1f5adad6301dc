/**
 * A plan: what is asked of a simulated world, and what goes wrong in it, as a list that shrinks.
 * The interleaving below the list is drawn from the plan's own small seed, which shrinks as well.
 */
import fc from 'fast-check'
import type { MachineSettings } from './broker-machine.js'

export type Step =
  | { readonly kind: 'nothing' }
  | {
      readonly kind: 'send'
      readonly producer: number
      readonly key: number
      readonly count: number
    }
  | { readonly kind: 'wait'; readonly ms: number }
  /** `calls` of the disk from now, or at once for 0. */
  | { readonly kind: 'power-loss'; readonly downMs: number; readonly calls: number }
  | { readonly kind: 'broker-kill'; readonly downMs: number; readonly calls: number }
  | { readonly kind: 'cut'; readonly node: number }
  | { readonly kind: 'half-open'; readonly node: number; readonly direction: 0 | 1 }
  | { readonly kind: 'restate' }
  | { readonly kind: 'checkpoint' }
  | { readonly kind: 'delete-checkpoints' }
  | { readonly kind: 'retain' }
  | { readonly kind: 'fail-sync' }
  | { readonly kind: 'disk-full'; readonly forMs: number }
  | { readonly kind: 'slow-disk'; readonly forMs: number }
  | { readonly kind: 'producer-crash'; readonly node: number; readonly downMs: number }
  | { readonly kind: 'instance-join'; readonly node: number }
  | { readonly kind: 'instance-leave'; readonly node: number }
  | { readonly kind: 'instance-crash'; readonly node: number; readonly downMs: number }
  | { readonly kind: 'instance-pause'; readonly node: number; readonly leases: number }
  | { readonly kind: 'instance-stall'; readonly node: number }
  | { readonly kind: 'wall-jump'; readonly byMs: number }
  | { readonly kind: 'guest-work'; readonly node: number; readonly count: number }
  | { readonly kind: 'guest-crash'; readonly node: number; readonly downMs: number }

export type StepKind = Step['kind']

export interface Plan {
  /** Draws the interleaving: latencies, chunks, lost sectors, handlers' moods. */
  readonly seed: number
  readonly settings: MachineSettings
  readonly paddingMax: number
  /** Messages that each producer sends to two keys before the first step: no run is empty. */
  readonly opening: number
  readonly steps: readonly { readonly step: Step; readonly gapMs: number }[]
}

export const NODES = 4
export const KEYS = 4
/** The least number of messages that a producer sends to a key in any plan. */
export const OPENING_MIN = 4

const node = fc.nat({ max: NODES - 1 })
const downMs = fc.integer({ min: 1, max: 400 })
const calls = fc.nat({ max: 20 })

const stepOf: { readonly [Kind in StepKind]: fc.Arbitrary<Step> } = {
  nothing: fc.constant({ kind: 'nothing' }),
  send: fc.record({
    kind: fc.constant('send' as const),
    producer: fc.nat({ max: 2 }),
    key: fc.nat({ max: KEYS - 1 }),
    count: fc.integer({ min: 1, max: 8 }),
  }),
  wait: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 600 }) }),
  'power-loss': fc.record({ kind: fc.constant('power-loss' as const), downMs, calls }),
  'broker-kill': fc.record({ kind: fc.constant('broker-kill' as const), downMs, calls }),
  cut: fc.record({ kind: fc.constant('cut' as const), node }),
  'half-open': fc.record({
    kind: fc.constant('half-open' as const),
    node,
    direction: fc.constantFrom(0 as const, 1 as const),
  }),
  restate: fc.constant({ kind: 'restate' }),
  checkpoint: fc.constant({ kind: 'checkpoint' }),
  'delete-checkpoints': fc.constant({ kind: 'delete-checkpoints' }),
  retain: fc.constant({ kind: 'retain' }),
  'fail-sync': fc.constant({ kind: 'fail-sync' }),
  'disk-full': fc.record({
    kind: fc.constant('disk-full' as const),
    forMs: fc.integer({ min: 50, max: 1_000 }),
  }),
  'slow-disk': fc.record({
    kind: fc.constant('slow-disk' as const),
    forMs: fc.integer({ min: 50, max: 1_000 }),
  }),
  'producer-crash': fc.record({ kind: fc.constant('producer-crash' as const), node, downMs }),
  'instance-join': fc.record({ kind: fc.constant('instance-join' as const), node }),
  'instance-leave': fc.record({ kind: fc.constant('instance-leave' as const), node }),
  'instance-crash': fc.record({ kind: fc.constant('instance-crash' as const), node, downMs }),
  'instance-pause': fc.record({
    kind: fc.constant('instance-pause' as const),
    node,
    leases: fc.double({ min: 0.5, max: 3, noNaN: true }),
  }),
  'instance-stall': fc.record({ kind: fc.constant('instance-stall' as const), node }),
  'wall-jump': fc.record({
    kind: fc.constant('wall-jump' as const),
    byMs: fc.oneof(
      fc.integer({ min: -20_000, max: 20_000 }),
      fc.integer({ min: -1_000, max: 1_000 }),
    ),
  }),
  'guest-work': fc.record({
    kind: fc.constant('guest-work' as const),
    node,
    count: fc.integer({ min: 1, max: 3 }),
  }),
  'guest-crash': fc.record({ kind: fc.constant('guest-crash' as const), node, downMs }),
}

const settings: fc.Arbitrary<MachineSettings> = fc.record({
  segmentBytes: fc.constantFrom(16_384, 4_096, 8_192),
  cacheBytes: fc.constantFrom(65_536, 2_048, 8_192),
  leaseMs: fc.constantFrom(600, 300, 1_500),
  topicQueues: fc.constantFrom(1, 2, 3, 5),
  checkpointEveryBytes: fc.constantFrom(0, 3_000, 20_000),
  flavour: fc.constantFrom('in-process', 'bytes', 'direct'),
})

/** Plans with steps drawn by weight. */
export function planOf(options: {
  readonly weights: Partial<Record<StepKind, number>>
  readonly stepsMin: number
  readonly stepsMax: number
}): fc.Arbitrary<Plan> {
  const weighted = Object.entries(options.weights).map(([kind, weight]) => ({
    arbitrary: stepOf[kind as StepKind],
    weight,
  }))
  // A step shrinks to nothing before it shrinks to a smaller one.
  const step = fc.oneof(
    { withCrossShrink: true },
    { arbitrary: stepOf.nothing, weight: 1 },
    ...weighted,
  )
  return fc.noBias(
    fc.record({
      seed: fc.nat({ max: 9_999 }),
      settings,
      paddingMax: fc.constantFrom(20, 0, 300),
      opening: fc.integer({ min: OPENING_MIN, max: 2 * OPENING_MIN }),
      steps: fc.array(fc.record({ step, gapMs: fc.constantFrom(0, 1, 5, 20, 60) }), {
        minLength: options.stepsMin,
        maxLength: options.stepsMax,
        size: 'max',
      }),
    }),
  )
}
