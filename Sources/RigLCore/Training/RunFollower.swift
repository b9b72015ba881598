/// Is told of what a run writes into its folder, once it is there: what keeps another file of the same,
/// as that for TensorBoard.
///
/// An error ends the training like one of the metrics: the last checkpoint is left to go on from.
package protocol RunFollower: AnyObject {
  /// The training begins or goes on, in a folder whose metrics end with its checkpoint.
  ///
  /// - Parameter checkpoint: where it goes on from; nil: from the beginning.
  func begin(
    _ trainer: Trainer, in run: RunFolder, from checkpoint: Checkpoint?
  ) throws(RigLError)
  /// A row is in the metrics.
  func follow(_ row: MetricsRow) throws(RigLError)
  /// A checkpoint is in the folder.
  func follow(_ checkpoint: Checkpoint) throws(RigLError)
  /// The training is complete.
  func end() throws(RigLError)
}
