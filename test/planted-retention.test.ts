/** The tests of what the broker lets go are strong: each planted bug makes one fail. */
import { retentionBugs } from './planted/bugs/retention.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'retention', bugs: retentionBugs, bugsMin: 11 })
