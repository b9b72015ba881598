/// Numbers that training changes, and their gradient.
public final class Parameter {
  /// The layer's name, then what it is: `fc1.weight`, `fc1.bias`.
  public let name: String
  /// The name in files of when its connections began, among those of slots.
  package static let birth = "birth"
  /// The dense shape: (out, in) of a weight, (out) of a bias. A sparse weight stores fewer values.
  public let shape: [Int]
  /// Whether weight decay applies: to weights, not to biases.
  public let decays: Bool
  /// Values stored; not read off the buffers, so that it can be asked for while one is changed. Of a
  /// sparse layer's weight, it changes with the number of connections.
  public private(set) var count: Int
  /// The values. A sparse layer's are in the order of its connections in memory, which moves with
  /// the topology; ``SparseWeights`` relates it to positions.
  public var values: AlignedBuffer<Float>
  /// The loss's gradient with respect to the values, in the same order.
  public var gradient: AlignedBuffer<Float>

  /// Creates a parameter of `count` zeros.
  public init(name: String, shape: [Int], count: Int, decays: Bool) {
    self.name = name
    self.shape = shape
    self.decays = decays
    self.count = count
    values = AlignedBuffer(count: count)
    gradient = AlignedBuffer(count: count)
  }

  /// Values that there is memory for.
  var capacity: Int { values.capacity }

  /// Makes it so many values in memory of so many; what they were is lost where memory changes.
  func setSize(_ newCount: Int, _ capacity: Int) {
    values.setSize(newCount, capacity)
    gradient.setSize(newCount, capacity)
    count = newCount
  }

  /// Moves values, and the gradient if it is still needed, as an update moved connections.
  func follow(_ change: TopologyChange, scratch: TopologyScratch, movesGradient: Bool) {
    values.follow(change, scratch: &scratch.oldColumns)
    if movesGradient {
      gradient.follow(change, scratch: &scratch.oldColumns)
    } else {
      gradient.setSize(change.stored, change.capacity)
    }
    count = change.stored
  }
}

/// A named array of optimizer state beside a parameter's values.
public final class Slot {
  /// The slot's name: `velocity`, `first_moment`, `second_moment`.
  package let name: String
  /// The slot's numbers, one for each value of the parameter, in the same order.
  public var buffer: AlignedBuffer<Float>

  init(name: String, count: Int) {
    self.name = name
    buffer = AlignedBuffer(count: count)
  }
}

/// Numbers that training changes without an optimizer: batch-norm's running mean and variance.
public final class RunningAverage {
  /// The layer's name, then what it is: `bn1.running_mean`.
  package let name: String
  /// The values, one for each channel.
  public var values: AlignedBuffer<Float>

  /// Creates averages that start at `initial`.
  public init(name: String, count: Int, initial: Float) {
    self.name = name
    values = AlignedBuffer(count: count)
    values.fill(initial)
  }
}
