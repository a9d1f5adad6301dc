/** Lists of events, drawn at random, against the model of the log. */
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { Campaign } from './campaign.js'
import { type Event, LogMachine, type Settings } from './log-machine.js'

const append = fc.record({
  do: fc.constant('append' as const),
  // Some frames are longer than a sector, and some than a segment.
  sizes: fc.array(
    fc.oneof({ weight: 9, arbitrary: fc.nat(90) }, { weight: 1, arbitrary: fc.nat(1400) }),
    { minLength: 1, maxLength: 4 },
  ),
})
const pass = fc.record({
  do: fc.constant('pass' as const),
  ms: fc.oneof(fc.double({ min: 0, max: 3, noNaN: true }), fc.constantFrom(20, 1500)),
})
const ending = fc.constantFrom('kill' as const, 'power' as const, 'close' as const)
const rare: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ do: fc.constant('failSync' as const), skip: fc.nat(3) }),
  fc.record({ do: fc.constant('failCall' as const), skip: fc.nat(12) }),
  fc.record({ do: fc.constant('full' as const), free: fc.nat(2000) }),
  fc.record({ do: fc.constant('close' as const) }),
  fc.record({
    do: fc.constant('slow' as const),
    every: fc.nat(3),
    ms: fc.constantFrom(5, 50, 400),
  }),
  fc.record({ do: fc.constant('jump' as const), ms: fc.integer({ min: -1e7, max: 1e7 }) }),
  fc.record({
    do: fc.constant('damage' as const),
    after: ending,
    damage: fc.record({
      how: fc.constantFrom('flip' as const, 'flip' as const, 'cut' as const, 'remove' as const),
      pick: fc.nat(),
    }),
  }),
)
/** A disk that lies may end the list: a few lists have that. */
const lie: fc.Arbitrary<Event> = fc.record({
  do: fc.constant('misdirect' as const),
  skip: fc.nat(3),
})
const usual: fc.Arbitrary<Event> = fc.oneof(
  { weight: 12, arbitrary: append },
  { weight: 8, arbitrary: pass },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'power' as const, 'read' as const),
    }),
  },
  { weight: 3, arbitrary: rare },
)
const listOf = (event: fc.Arbitrary<Event>): fc.Arbitrary<Event[]> =>
  fc.array(event, { minLength: 20, maxLength: 80 })
const lists = fc.oneof(
  { weight: 5, arbitrary: listOf(usual) },
  {
    weight: 1,
    arbitrary: listOf(fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: lie })),
  },
)
const settings: fc.Arbitrary<Settings> = fc.record({
  durability: fc.constantFrom('sync' as const, 'sync' as const, 'os' as const, 'memory' as const),
  segmentBytes: fc.constantFrom(512, 1024, 4096),
  cacheBytes: fc.constantFrom(256, 4096, 1 << 20),
})

describe('with crashes', () => {
  const campaign = new Campaign({
    file: 'packages/log-core/test/log.property.test.ts',
    of: 'lists of events',
    quick: 150,
    full: 20_000,
    fullS: 75,
    counted: 'crashes',
    mustReach: [
      'powerLosses',
      'kills',
      'sectorsKept',
      'sectorsDropped',
      'writesTorn',
      'entriesVanished',
      'syncsFailed',
      'callsFailed',
      'shortWrites',
      'shortReads',
      'fullErrors',
      'bitsFlipped',
      'slowCalls',
      'writesMisdirected',
      'filesTruncated',
      'filesRemoved',
      'jump',
      'cuts',
      'frames lost',
      'frames kept',
      'flip told',
      'cut told',
      'remove told',
      'astray told',
    ],
  })

  it(
    'acknowledged frames survive, whole and in order, and the audit is never wrong',
    () =>
      campaign.check(
        fc.asyncProperty(fc.nat(), settings, lists, (seed, set, events) =>
          new LogMachine(seed, set, campaign).run(events),
        ),
      ),
    campaign.timeoutMs,
  )
})
