/// y = main(x) + shortcut(x), as residual networks are made of.
///
/// Both kinds of blocks are this layer: a pre-activation block (WRN) has batch-norm and an activation
/// in `before`, which its branches share, and adds the plain sums; a post-activation block (ResNet)
/// has branches that end with batch-norm, and an activation after the sum. Branches may be of any
/// layers.
public struct Residual: Layer, PlannedLayer {
  /// What main branch and a shortcut with layers share: batch-norm and an activation, or nothing. A
  /// shortcut without layers passes by it.
  package let before: [any Layer]
  /// The main branch.
  package let main: Sequential
  /// The shortcut; without layers the input itself.
  package let shortcut: Sequential
  /// The activation after the sum.
  package let activation: Activation?

  /// Creates a block; `activation` nil: nothing is applied to the sum.
  public init(
    before: [any Layer] = [], main: [any Layer], shortcut: [any Layer] = [],
    activation: Activation? = nil
  ) {
    self.before = before
    self.main = Sequential(main)
    self.shortcut = Sequential(shortcut)
    self.activation = activation
  }

  /// The type, and the activation that follows.
  public var kind: String { activation.map { "Residual(\($0.layer.kind))" } ?? "Residual" }
  /// The branches.
  package var composition: LayerParts {
    .branches(before: before, main: main.layers, shortcut: shortcut.layers)
  }

  package var channelEffect: ChannelEffect { .sum(activation) }
  /// The activation; the branches are added by who asks.
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(.residual)
    layer.describe(activation)
    return layer
  }

  /// The branches' shape, which must be the same.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    var shape = input
    for layer in before { shape = try layer.outputShape(of: shape) }
    let (sum, other) = (try main.outputShape(of: shape), try shortcut.outputShape(of: shape))
    guard sum == other else {
      throw RigLError(
        .configuration,
        "residual block: a main branch of \(sum.channels) × \(sum.height) × \(sum.width) and a "
          + "shortcut of \(other.channels) × \(other.height) × \(other.width)",
        hint: "Give the shortcut a projection.")
    }
    return sum
  }

  /// Not called: its branches' layers are stages.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    trap("Residual: a stage of layers")
  }
}
