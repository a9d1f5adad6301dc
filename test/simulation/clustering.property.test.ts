/**
 * Promise P3: each message goes to one instance of the group while instances join, leave, crash and
 * sleep past their lease; what its handler does happens once; one instance holds a queue.
 */
import { test } from 'vitest'
import { campaignTimeoutMs, runCampaign } from './campaign.js'
import { effectsOnce } from './checkers/effects-once.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { oneLease } from './checkers/one-lease.js'
import { planOf } from './plan.js'

const plans = planOf({
  weights: {
    send: 18,
    wait: 3,
    'power-loss': 2,
    'broker-kill': 2,
    cut: 3,
    'half-open': 1,
    restate: 1,
    retain: 3,
    checkpoint: 1,
    'delete-checkpoints': 1,
    'fail-sync': 1,
    'slow-disk': 1,
    'disk-full': 1,
    'instance-join': 5,
    'instance-leave': 2,
    'instance-crash': 3,
    'instance-pause': 3,
    'instance-stall': 2,
  },
  stepsMin: 24,
  stepsMax: 40,
})

test(
  'each message has its effect once while instances come and go',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/clustering.property.test.ts',
      plans,
      population: {
        producers: 2,
        instances: 4,
        mode: 'clustering',
        order: 'concurrent',
        echo: 'send',
      },
      checkers: [noAcknowledgedLoss, oneLease, effectsOnce],
      operationsMin: 15,
      mustReach: [
        'flavour in-process',
        'flavour bytes',
        'flavour direct',
        'broker messagesLetGo',
        'broker segmentsRewritten',
        'disk powerLosses',
        'disk kills',
        'disk sectorsDropped',
        'disk syncsFailed',
        'disk fullErrors',
        'broker logFailures',
        'broker checkpointsDeleted',
        'broker restatements',
        'instance joins',
        'instance leaves',
        'instance crashes',
        'instance pausesPastLease',
        'instance handlersThrew',
        'instance handlersStalled',
        'instance commitsRefused',
        'net cuts',
        'net halfOpens',
        'rolls',
      ],
      mustReachIn: { 'instance pausesPastLease': 0.1 },
      seedsMin: 500,
    })
  },
)
