/**
 * Promise P5: a half message is seen by nobody before its commit and never after a rollback; it is
 * decided once, or parked after its checks, whatever crashes and whatever gets lost, comes late or
 * comes twice; and no later confirmation flips the decision.
 */
import { test } from 'vitest'
import { campaignTimeoutMs, runCampaign } from './campaign.js'
import { decisionStands } from './checkers/decision-stands.js'
import { effectsOnce } from './checkers/effects-once.js'
import { halfInvisible } from './checkers/half-invisible.js'
import { noAcknowledgedLoss } from './checkers/no-acknowledged-loss.js'
import { oneOutcome } from './checkers/one-outcome.js'
import { OperatorNode } from './operator-node.js'
import { planOf } from './plan.js'
import { bodyTopic } from './producer-node.js'
import { Book, TransactorNode } from './transactor-node.js'
import { type Guest, TOPIC, type World } from './world.js'

const CHECKS_MAX = 3

const plans = planOf({
  weights: {
    'guest-work': 18,
    'guest-crash': 3,
    send: 3,
    wait: 4,
    'power-loss': 3,
    'broker-kill': 2,
    cut: 3,
    'half-open': 1,
    restate: 2,
    checkpoint: 1,
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
  const book = new Book()
  const onCrash = (node: Guest): void => world.crashGuest(node)
  const shared = { time, machine, recorder }
  const transactors = ['t0', 't1'].map((name) => {
    const own = { name, random: random.fork(name) }
    return new TransactorNode({ ...shared, ...own, topic, book, onCrash })
  })
  const operator = { name: 'operator', random: random.fork('operator') }
  return [...transactors, new OperatorNode({ ...shared, ...operator })]
}

test(
  'a half message is seen by nobody before its commit, and decided once',
  { timeout: campaignTimeoutMs },
  async () => {
    await runCampaign({
      file: 'test/simulation/transactions.property.test.ts',
      plans,
      population: {
        producers: 1,
        instances: 2,
        mode: 'clustering',
        order: 'concurrent',
        echo: 'send',
        guestsOf,
        checksMax: CHECKS_MAX,
      },
      checkers: [
        noAcknowledgedLoss,
        halfInvisible,
        oneOutcome(CHECKS_MAX),
        decisionStands,
        effectsOnce,
      ],
      operationsMin: 16,
      mustReach: [
        'flavour in-process',
        'flavour bytes',
        'flavour direct',
        'crashed at: half sent',
        'crashed at: before the book',
        'crashed at: after the book',
        'crashed at: confirmation sent',
        'crashed at: check-back',
        'guest-crash',
        'confirmationsLost',
        'confirmationsLate',
        'confirmationsTwice',
        'confirmations repeated',
        'confirmations contrary',
        'check-backs',
        'outcome commit',
        'outcome rollback',
        'outcome unknown',
        'transaction HANDLER_FAILED',
        'halves decided by a person',
        'instance-crash',
        'disk powerLosses',
        'disk kills',
        'broker logFailures',
        'broker restatements',
        'broker checkpointsDeleted',
        'net cuts',
        'net halfOpens',
        'rolls',
      ],
      seedsMin: 500,
    })
  },
)
