/** The tests of the log are strong enough: each planted bug makes one of them fail. */
import { logBugs } from './planted/bugs/log-core.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'log-core', bugs: logBugs, bugsMin: 15 })
