/**
 * A key whose message fails for good waits, alone and in order, until a person releases it; nothing
 * of it is lost, overtaken or handled twice, whatever crashes and whoever holds its queue.
 */
import { test } from 'vitest'
import { campaignTimeoutMs, isAskedFor, runCampaign } from './campaign.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { parkedInOrder } from './checkers/parked-in-order.js'
import { planOf } from './plan.js'
import { poisonOf } from './poison.js'
import { ReleaserNode } from './releaser-node.js'
import { GROUP, type World } from './world.js'

const plans = planOf({
  weights: {
    send: 20,
    wait: 4,
    'guest-work': 8,
    'guest-crash': 1,
    'power-loss': 2,
    'broker-kill': 2,
    cut: 3,
    'half-open': 1,
    restate: 1,
    checkpoint: 1,
    'delete-checkpoints': 1,
    'fail-sync': 1,
    'disk-full': 1,
    'instance-join': 3,
    'instance-leave': 2,
    'instance-crash': 3,
    'instance-pause': 2,
    'instance-stall': 1,
  },
  stepsMin: 20,
  stepsMax: 32,
})

const ATTEMPTS_MAX = 2

test.runIf(isAskedFor)(
  'a poisoned key waits in order, and comes back in order',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/parking.property.test.ts',
      plans,
      population: {
        producers: 2,
        instances: 3,
        mode: 'clustering',
        order: 'orderly',
        echo: 'none',
        poisonOf: () => poisonOf(ATTEMPTS_MAX),
        guestsOf: (world: World) => {
          const { machine, poison, random, time } = world
          if (poison === undefined) return []
          const own = { name: 'releaser', group: GROUP, random: random.fork('releaser') }
          return [new ReleaserNode({ ...own, machine, poison, time })]
        },
      },
      checkers: [noAcknowledgedLoss, parkedInOrder],
      operationsMin: 12,
      mustReach: [
        'flavour in-process',
        'flavour bytes',
        'flavour direct',
        'keys listed as parked',
        'keys released',
        'messages set aside',
        'guest-crash',
        'instance crashes',
        'instance leaves',
        'instance pausesPastLease',
        'instance handlersFailed',
        'instance commitsRefused',
        'disk powerLosses',
        'disk kills',
        'broker logFailures',
        'broker restatements',
        'broker checkpointsDeleted',
        'net cuts',
        'net halfOpens',
      ],
      seedsMin: 80,
      fullBoxMs: 20_000,
    })
  },
)
