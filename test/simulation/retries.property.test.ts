/**
 * What fails comes again with its tries counted, whoever crashes in between, and dies after the
 * last one; nothing leaves a group without an acknowledgement or a dead letter.
 */
import { test } from 'vitest'
import { campaignTimeoutMs, runCampaign } from './campaign.js'
import { attemptsCounted } from './checkers/attempts-counted.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { oneLease } from './checkers/one-lease.js'
import { settledOrDead } from './checkers/settled-or-dead.js'
import { failing } from './failing.js'
import { planOf } from './plan.js'

const plans = planOf({
  weights: {
    send: 18,
    wait: 4,
    'power-loss': 3,
    'broker-kill': 2,
    cut: 3,
    'half-open': 1,
    restate: 2,
    checkpoint: 1,
    'delete-checkpoints': 1,
    'fail-sync': 1,
    'slow-disk': 1,
    'disk-full': 1,
    'producer-crash': 1,
    'instance-join': 3,
    'instance-leave': 2,
    'instance-crash': 5,
    'instance-pause': 2,
    'instance-stall': 2,
  },
  stepsMin: 24,
  stepsMax: 40,
})

test(
  'what fails comes again with its tries counted, and is settled or dead',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/retries.property.test.ts',
      plans,
      population: {
        producers: 2,
        instances: 3,
        mode: 'clustering',
        order: 'concurrent',
        echo: 'none',
        failing,
      },
      checkers: [noAcknowledgedLoss, oneLease, settledOrDead(failing), attemptsCounted(failing)],
      operationsMin: 15,
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
        'producer-crash',
        'instance joins',
        'instance leaves',
        'instance crashes',
        'instance pausesPastLease',
        'instance handlersFailed',
        'instance handlersThrew',
        'instance handlersStalled',
        'instance commitsRefused',
        'net cuts',
        'net halfOpens',
        'retries',
        'dead letters',
        'dead letters unread',
        'rolls',
      ],
      seedsMin: 500,
    })
  },
)
