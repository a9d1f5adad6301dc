export { seededRandom } from './seeded-random.js'
export { type NodeClock, settle, simulatedTime, type SimulatedTime } from './simulated-clock.js'
