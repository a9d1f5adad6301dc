/** The tests of what RocketMQ's clients get are strong: each planted bug makes one of them fail. */
import { clusterConsumingBugs } from './planted/bugs/cluster-consuming.js'
import { rocketmqBugs } from './planted/bugs/rocketmq.js'
import { describeNamedBugs } from './planted/named-bugs.js'

const bugs = [...rocketmqBugs, ...clusterConsumingBugs]
describeNamedBugs({ package: 'rocketmq', bugs, bugsMin: 14 })
