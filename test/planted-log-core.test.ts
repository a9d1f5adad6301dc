/** The tests of the log are strong enough: each planted bug makes one of them fail. */
import { backupBugs } from './planted/bugs/log-backup.js'
import { logBugs } from './planted/bugs/log-core.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'log-core', bugs: [...logBugs, ...backupBugs], bugsMin: 15 })
