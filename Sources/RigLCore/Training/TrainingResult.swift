extension Trainer {
  /// The outcome of a training: test figures, steps, seconds.
  public struct Result: Sendable {
    /// The result on the test samples of the weights that training ended with; nil if it was
    /// interrupted, to go on later.
    public let test: Evaluation?
    /// The test figures of the weights that were best on the validation samples; nil without those.
    public let bestTest: Evaluation?
    /// The validation accuracy and step of the latter.
    public let best: (accuracy: Double, step: Int)?
    /// Weight steps taken.
    public let steps: Int
    /// Seconds of training and evaluation in this process.
    public let seconds: Double
    /// Samples trained on in this process for each second of training, evaluations and checkpoints
    /// not counted; nil if there were none.
    public let samplesPerSecond: Double?
    /// Samples drawn for training that could not be read and were left out, in all of the training.
    public let damaged: Int
    /// Whether a callback stopped or interrupted the training before its last step.
    public let wasStopped: Bool
  }
}
