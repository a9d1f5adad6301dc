/** Plants each bug of sagas in a copy of the sources; its checker must fail. */
import { sagaBugs } from './planted/bugs/saga.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'saga', bugs: sagaBugs, bugsMin: 15 })
