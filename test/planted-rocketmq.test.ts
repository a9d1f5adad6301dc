/** The tests of what RocketMQ's clients get are strong: each planted bug makes one of them fail. */
import { rocketmqBugs } from './planted/bugs/rocketmq.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'rocketmq', bugs: rocketmqBugs, bugsMin: 9 })
