/**
 * What is to come later comes once and by its clock: a time of delivery by the wall clock, a delay
 * by the monotonic one within a life of the broker and by the wall clock across its lives, while
 * wall clocks jump both ways and everything crashes. What was cancelled never comes.
 */
import { test } from 'vitest'
import { campaignTimeoutMs, runCampaign } from './campaign.js'
import { byItsClock } from './checkers/by-its-clock.js'
import { delayedOnce } from './checkers/delayed-once.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { DelayerNode } from './delayer-node.js'
import { planOf } from './plan.js'
import { bodyTopic } from './producer-node.js'
import { type Guest, TOPIC, type World } from './world.js'

const plans = planOf({
  weights: {
    'guest-work': 14,
    'guest-crash': 2,
    'wall-jump': 6,
    send: 2,
    wait: 8,
    'power-loss': 3,
    'broker-kill': 3,
    cut: 2,
    'half-open': 1,
    restate: 2,
    checkpoint: 2,
    'delete-checkpoints': 1,
    'fail-sync': 1,
    'disk-full': 1,
    'slow-disk': 1,
    'instance-crash': 1,
  },
  stepsMin: 20,
  stepsMax: 36,
})

function guestsOf(world: World): readonly Guest[] {
  const { machine, random, recorder, time } = world
  const topic = bodyTopic(TOPIC, world.settings.topicQueues)
  return ['d0', 'd1'].map(
    (name) => new DelayerNode({ name, random: random.fork(name), time, machine, recorder, topic }),
  )
}

test(
  'what is to come later comes once, and by its clock',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/delay.property.test.ts',
      plans,
      population: {
        producers: 1,
        instances: 2,
        mode: 'clustering',
        order: 'concurrent',
        echo: 'none',
        guestsOf,
      },
      checkers: [noAcknowledgedLoss, delayedOnce, byItsClock],
      operationsMin: 16,
      mustReach: [
        'flavour in-process',
        'flavour bytes',
        'flavour direct',
        'wall clock moved on',
        'wall clock set back',
        'sends for a time',
        'sends at a time',
        'sends by a level',
        'timers set',
        'timers cancelled',
        'guest-crash',
        'instance-crash',
        'disk powerLosses',
        'disk kills',
        'disk sectorsDropped',
        'broker logFailures',
        'broker checkpoints',
        'broker checkpointsDeleted',
        'broker restatements',
        'net cuts',
        'net halfOpens',
        'rolls',
      ],
      seedsMin: 500,
    })
  },
)
