/**
 * Promises P1 and P2 under crashes: what was acknowledged is there, in the order of its key, and an
 * orderly consumer is handed it in that order.
 */
import { test } from 'vitest'
import { campaignTimeoutMs, runCampaign } from './campaign.js'
import { effectsOnce } from './checkers/effects-once.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { orderPerKey } from './checkers/order-per-key.js'
import { planOf } from './plan.js'

const plans = planOf({
  weights: {
    send: 24,
    wait: 3,
    'power-loss': 3,
    'broker-kill': 2,
    cut: 2,
    'half-open': 1,
    restate: 1,
    retain: 3,
    checkpoint: 1,
    'delete-checkpoints': 1,
    'fail-sync': 1,
    'disk-full': 1,
    'slow-disk': 1,
    'producer-crash': 2,
    'instance-crash': 1,
  },
  stepsMin: 24,
  stepsMax: 40,
})

test(
  'messages of one key keep their order under concurrent producers and crashes',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/order.property.test.ts',
      plans,
      population: {
        producers: 3,
        instances: 2,
        mode: 'clustering',
        order: 'orderly',
        echo: 'send',
      },
      checkers: [noAcknowledgedLoss, orderPerKey, effectsOnce],
      operationsMin: 20,
      mustReach: [
        'flavour in-process',
        'flavour bytes',
        'flavour direct',
        'broker messagesLetGo',
        'broker segmentsRewritten',
        'disk powerLosses',
        'disk kills',
        'half-open',
        'producer-crash',
        'instance-crash',
        'broker logFailures',
        'broker checkpointsDeleted',
        'broker restatements',
        'broker checkpoints',
        'disk sectorsDropped',
        'disk writesTorn',
        'disk syncsFailed',
        'disk fullErrors',
        'disk slowCalls',
        'net cuts',
        'net itemsLost',
        'sends failed',
        'rolls',
      ],
      seedsMin: 500,
    })
  },
)
