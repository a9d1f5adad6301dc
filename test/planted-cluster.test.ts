/** The tests of sending to a cluster are strong: each planted bug makes one of them fail. */
import { clusterBugs } from './planted/bugs/cluster.js'
import { describeNamedBugs } from './planted/named-bugs.js'

describeNamedBugs({ package: 'cluster', bugs: clusterBugs, bugsMin: 5 })
