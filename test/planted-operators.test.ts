/** The tests of what operators see and change are strong: each planted bug makes one fail. */
import { operatorBugs } from './planted/bugs/operators.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'operators', bugs: operatorBugs, bugsMin: 6 })
