/** Bugs in how our consumers read from a cluster, each caught by one test of the client. */
import type { NamedBug } from '../planted-bug.js'

const CLIENT = 'packages/client/src/rocketmq/'
const property = 'packages/client/test/cluster-consuming.property.test.ts'
const anyMoment = 'miss nothing and turn no key around, whatever goes away'
const unit = 'packages/client/test/cluster-consuming.unit.test.ts'

export const clusterConsumingBugs: readonly NamedBug[] = [
  {
    name: 'place-above-what-is-in-hand',
    promise:
      'consumers in order on a cluster miss nothing and turn no key around, whatever goes away',
    file: `${CLIENT}read-place.ts`,
    find: '    for (const offset of this.#pending.keys()) return offset\n',
    replace: '',
    test: property,
    seed: 2,
  },
  {
    name: 'order-without-a-lock',
    promise: anyMoment,
    file: `${CLIENT}group-session.ts`,
    find: '!this.membership.isOrderly(queue.topic) ||',
    replace: "queue.topic !== '' ||",
    test: property,
    seed: 2,
  },
  {
    name: 'lock-that-nobody-renews',
    promise: 'in order gives a queue up whose lock it can not renew, before the broker does',
    file: `${CLIENT}group-session.ts`,
    find: "if (state === 'refused' || isOld)",
    replace: "if (state === 'refused' || (isOld && askedAtMs < 0))",
    test: unit,
  },
  {
    name: 'commit-of-more-than-acknowledgements',
    promise: 'is refused what is no acknowledgement, with what to do instead',
    file: `${CLIENT}requests/commit.ts`,
    find: 'if (level === undefined && !hasOnlyAcks(request))',
    replace: 'if (level === 0 && !hasOnlyAcks(request))',
    test: unit,
  },
  {
    name: 'reset-left-to-the-broker',
    promise: 'goes where an operator sends it, also when its broker can not be told',
    file: `${CLIENT}group-session.ts`,
    find: '    this.#moved.set(key, offset)\n',
    replace: '',
    test: 'packages/client/test/cluster-questions.unit.test.ts',
  },
]
