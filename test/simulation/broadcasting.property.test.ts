/**
 * Promise P4: every instance of a broadcasting group takes every message, in the order of its
 * queue, with one effect for each instance, also when the instance or the broker restarts in
 * between.
 */
import { test } from 'vitest'
import { broadcastEveryInstance } from './checkers/broadcast-every-instance.js'
import { campaignTimeoutMs, runCampaign } from './campaign.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { planOf } from './plan.js'

const plans = planOf({
  weights: {
    send: 14,
    wait: 3,
    'power-loss': 2,
    'broker-kill': 2,
    cut: 2,
    'half-open': 1,
    restate: 1,
    checkpoint: 1,
    'delete-checkpoints': 1,
    'fail-sync': 1,
    'slow-disk': 1,
    'instance-join': 3,
    'instance-leave': 2,
    'instance-crash': 3,
    'instance-pause': 2,
  },
  stepsMin: 20,
  stepsMax: 32,
})

test(
  'every instance takes every message once and in order',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/broadcasting.property.test.ts',
      plans,
      population: {
        producers: 2,
        instances: 3,
        mode: 'broadcasting',
        order: 'orderly',
        echo: 'none',
      },
      checkers: [noAcknowledgedLoss, broadcastEveryInstance],
      operationsMin: 10,
      mustReach: [
        'flavour in-process',
        'flavour bytes',
        'flavour direct',
        'disk powerLosses',
        'disk kills',
        'disk sectorsDropped',
        'disk syncsFailed',
        'broker logFailures',
        'broker checkpointsDeleted',
        'broker restatements',
        'instance joins',
        'instance leaves',
        'instance crashes',
        'instance pausesPastLease',
        'instance handlersThrew',
        'net cuts',
        'net halfOpens',
        'rolls',
      ],
      seedsMin: 500,
    })
  },
)
