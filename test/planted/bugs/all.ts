/** Every planted bug of the simulated properties, in the order in which they are run. */
import type { PlantedBug } from '../planted-bug.js'
import { broadcastingBugs } from './broadcasting.js'
import { clusteringBugs } from './clustering.js'
import { delayBugs } from './delay.js'
import { orderBugs } from './order.js'
import { parkingBugs } from './parking.js'
import { retryBugs } from './retries.js'
import { transactionBugs } from './transactions.js'

export const plantedBugs: readonly PlantedBug[] = [
  ...orderBugs,
  ...clusteringBugs,
  ...broadcastingBugs,
  ...transactionBugs,
  ...retryBugs,
  ...parkingBugs,
  ...delayBugs,
]
