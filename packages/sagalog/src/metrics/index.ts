export { measuredDisk } from './measured-disk.js'
export { exportMetrics, type MetricsSource, type Observers } from './prometheus.js'
export { type MetricsServer, serveMetrics } from './serve-metrics-node.js'
export { exportSagaMetrics, type SagaSource } from './saga-metrics.js'
