// How the published figures of networks were counted, where it differs from how they are trained.

/// A network whose published figures are counted by rules of their own.
protocol PublishedNetwork: Network {
  /// The network as the published figures have it, where it is trained otherwise.
  var asPublished: any PublishedNetwork { get }
  /// The input size that the published figures have for a layer; see
  /// ``AccountedLayer/paperInputSize``.
  func paperInputSize(of layer: AccountedLayer) -> Int
}

extension PublishedNetwork {
  var asPublished: any PublishedNetwork { self }
}

extension ResNet: PublishedNetwork {
  /// The stem's input is padded before it is counted.
  func paperInputSize(of layer: AccountedLayer) -> Int {
    layer.inputHeight + (layer.name == "conv1" ? 2 * layer.padding : 0)
  }
}

extension MobileNetV1: PublishedNetwork {
  var asPublished: any PublishedNetwork {
    var network = self
    network.isPublished = true
    return network
  }

  /// Below and to the right of a strided layer's input there is a row and a column more.
  func paperInputSize(of layer: AccountedLayer) -> Int {
    layer.inputHeight + (layer.stride > 1 ? 1 : 0)
  }
}
