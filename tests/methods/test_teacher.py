from samssl_cli.methods.teacher import WithTeacher


def test_only_the_student_is_trained(quarter):
    method = WithTeacher(quarter, {}, steps=10)
    assert method.trained() == {"student": quarter}
    assert set(method.modules()) == {"student", "teacher"}
    assert not any(p.requires_grad for p in method.teacher.parameters())
