/// The numbers of a network's layers, each different: keys of their random numbers.
///
/// A layer's number has the number of what it is part of before its own place, counted from 1, as
/// digits of base 256: 1 for the first layer of a network, 0x0102 for the second one within it.
/// Where a place is no digit, or there are more than four of them, the number is the next one of
/// those that end with the digit 0, which no place has.
final class LayerNumbers {
  private var others = 0

  /// The number of a part of a layer; asked for once.
  ///
  /// - Parameters:
  ///   - place: which part, from 1.
  ///   - whole: the layer's number; 0: the network's.
  func number(ofPart place: Int, of whole: Int) -> Int {
    trap(unless: place >= 1 && whole >= 0, "LayerNumbers: part \(place) of \(whole)")
    if place < 256, whole <= Int(UInt32.max) >> 8 { return whole << 8 | place }
    others += 1
    trap(unless: others <= Int(UInt32.max) >> 8, "LayerNumbers: more than 16 million layers")
    return others << 8
  }
}
