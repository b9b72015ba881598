/// A batch of samples as the model takes them.
public final class Batch {
  /// The inputs; `inputs.samples` says how many samples there are.
  public let inputs: Tensor
  /// Their labels.
  public let labels: Labels
  /// Where they were before damaged ones were left out.
  let places = SamplePlaces()
  /// The order in which the model takes a sample's values.
  let layout: Tensor.Layout

  /// Room for a model's batches.
  public init(for model: Model) {
    layout = model.inputLayout
    inputs = model.makeInput()
    labels = Labels(capacity: model.capacity)
  }

  /// Throws unless there are samples, and as many labels.
  func requireComplete() throws(RigLError) {
    let (samples, labels) = (inputs.samples, labels.count)
    guard samples > 0, labels == samples else {
      throw RigLError(
        .data, "a batch of \(samples) samples and \(labels) labels",
        hint: "Set inputs.samples and labels.count to the number of its samples, one or more.")
    }
  }
}

/// Where in a batch each sample was when it was drawn: what its dropout masks are keyed by, so that
/// they do not depend on whether a sample before it could be read.
final class SamplePlaces {
  private var buffer = AlignedBuffer<Int32>(count: 0)
  private var isWhole = true

  /// The places, of whole groups of samples; nil: every sample is where it was.
  var base: UnsafePointer<Int32>? { isWhole ? nil : unsafe UnsafePointer(buffer.base) }

  /// Takes those of a packer's batch. Allocates once, and only if samples were left out.
  func take(from packer: BatchPacker, lanes: Int) {
    isWhole = packer.damaged.isEmpty
    guard !isWhole else { return }
    let count = packer.capacity.dividedUp(by: lanes) * lanes
    if buffer.count < count { buffer = AlignedBuffer(count: count) }
    for sample in 0..<packer.samples { buffer[sample] = packer.places[sample] }
  }
}
