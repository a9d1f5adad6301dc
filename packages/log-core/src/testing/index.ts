export {
  type DiskFaults,
  type SimulatedDisk,
  type SimulatedDiskOptions,
  simulatedDisk,
} from './simulated-disk.js'
