/** The tests of the event store are strong enough: each planted bug makes one of them fail. */
import { eventStoreBugs } from './planted/bugs/event-store.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'event-store', bugs: eventStoreBugs, bugsMin: 15 })
