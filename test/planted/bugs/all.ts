/** Every planted bug, in the order in which they are run. */
import type { PlantedBug } from '../planted-bug.js'
import { broadcastingBugs } from './broadcasting.js'
import { clusteringBugs } from './clustering.js'
import { orderBugs } from './order.js'

export const plantedBugs: readonly PlantedBug[] = [
  ...orderBugs,
  ...clusteringBugs,
  ...broadcastingBugs,
]
