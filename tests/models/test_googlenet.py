from toolkit.registry import BACKBONES


def test_equals_paddleclas_on_the_same_weights(distance_to_golden):
    assert distance_to_golden(BACKBONES.build("TinyGoogLeNet"), "TinyGoogLeNet") < 1e-5
    logits = BACKBONES.build("TinyGoogLeNet", class_num=10)
    assert distance_to_golden(logits, "TinyGoogLeNet 97 pixels logits", side=97) < 1e-5


def test_takes_the_auxiliary_classifiers_of_official_files_for_what_they_are():
    auxiliary = {"_conv_o1.", "_fc_o1.", "_out1.", "_conv_o2.", "_fc_o2.", "_out2."}
    plain = BACKBONES.build("TinyGoogLeNet")
    assert set(plain.ignored_weights) == {"_fc_out.", *auxiliary}
    whole = BACKBONES.build("TinyGoogLeNet", class_num=3)
    assert set(whole.ignored_weights) == auxiliary
    assert {"_fc_out.weight", "_fc_out.bias"} <= set(whole.state_dict())
